import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askAgent, openControlSocket } from '../../src/adapters/control-socket.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ares-control-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const status = { command: 'status' } as const;

describe('the control socket', () => {
  it.each([
    ['as usual', 'state'],
    ['deeper than the path of a socket may be', join('x'.repeat(100), 'y'.repeat(100))],
  ])('is answered in a folder %s, is the lock of it, and leaves nothing behind', async (_name, below) => {
    const path = join(folder, below, 'control.sock');
    mkdirSync(join(path, '..'), { recursive: true });
    expect(await askAgent(path, status)).toBeUndefined();
    const server = await openControlSocket({ path, handle: async ({ command }) => command });
    expect(await askAgent(path, status)).toEqual({ ok: true, value: 'status' });
    const second = openControlSocket({ path, handle: async () => undefined });
    await expect(second).rejects.toMatchObject({ code: 'AGENT_RUNNING' });
    await server.close();
    expect(await askAgent(path, status)).toBeUndefined();
  });

  it('does not take an agent that ends without an answer for none', async () => {
    const path = join(folder, 'control.sock');
    const server = createServer((socket) => socket.end()).listen(path);
    await expect(askAgent(path, status)).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
    server.close();
  });

  it.skipIf(process.getuid?.() === 0)('says whom to be when the socket is of another user', async () => {
    const path = join(folder, 'control.sock');
    const server = await openControlSocket({ path, handle: async () => undefined });
    chmodSync(path, 0);
    await expect(askAgent(path, status)).rejects.toThrow('sudo ares-agent');
    await server.close();
  });
});
