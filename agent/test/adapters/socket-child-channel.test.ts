import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createChildProcessJobs } from '../../src/adapters/child-process-jobs.ts';
import type { FromBleChild } from '../../src/ports/ble-child.ts';
import type { ChildChannel } from '../../src/ports/child-jobs.ts';
import { openLink } from '../support/phone.ts';
import { startTinyInetd } from '../support/tiny-inetd.ts';

let folder: string;
let inetd: Awaited<ReturnType<typeof startTinyInetd>> | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ares-radio-'));
});
afterEach(async () => {
  await inetd?.stop();
  inetd = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function openRadio() {
  const jobs = createChildProcessJobs({ mainFile: '/none', radioSocket: join(folder, 'radio.sock') });
  const channel = jobs.openBle({
    radio: { kind: 'simulated', socketPath: join(folder, 'ble.sock') },
    deviceUuid: '0f9d7c1e-3a52-4b8e-9c64-5d1f2e3a4b5c',
    setupCodeHex: '00'.repeat(16),
  });
  const messages: FromBleChild[] = [];
  channel.onMessage((message) => messages.push(message as FromBleChild));
  return { channel, messages };
}
const opened = (messages: readonly FromBleChild[]) =>
  vi.waitFor(() => expect(messages).toEqual([{ type: 'open' }]), { timeout: 10_000 });

describe('the radio in a service of its own', () => {
  const start = async (): Promise<{ channel: ChildChannel; messages: FromBleChild[] }> => {
    inetd = await startTinyInetd(join(folder, 'radio.sock'));
    const radio = openRadio();
    radio.channel.send({ type: 'state', state: 'claimable' });
    await opened(radio.messages);
    return radio;
  };

  it('serves phones through the socket, and ends when it is told to finish', async () => {
    const { channel } = await start();
    const link = await openLink(join(folder, 'ble.sock'));
    expect((await link.readInfo())[17]).toBe(0);
    await link.disconnect();
    channel.send({ type: 'finish', lingerMs: 0 });
    expect(await channel.closed).toBeInstanceOf(Error);
    await channel.close();
  });

  it('ends when the agent closes the socket', async () => {
    const { channel } = await start();
    const [child] = inetd?.children ?? [];
    await channel.close();
    expect(await channel.closed).toBeUndefined();
    if (child?.exitCode === null) await once(child, 'exit');
    expect(child?.exitCode).toBe(0);
  });

  it('is missed when it dies', async () => {
    const { channel } = await start();
    inetd?.children[0]?.kill('SIGKILL');
    expect(await channel.closed).toBeInstanceOf(Error);
  });
});

it('says what to do when the service of the radio is not there', async () => {
  const { channel, messages } = openRadio();
  expect(await channel.closed).toBeInstanceOf(Error);
  expect(messages).toEqual([
    { type: 'unavailable', detail: expect.stringContaining('Is ares-agent-radio.socket enabled') },
  ]);
});
