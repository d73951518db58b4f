import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { alertCommands, interventionCommands } from '../../src/cli/commands/supervision.ts';
import type { CliContext } from '../../src/cli/program.ts';

const deviceUuid = '6a7c4c5e-7f4d-4c52-8b0e-0a4c4d1f2a33';
const right = '0b0f7d0e-3b5c-4c0a-9d8e-2f6f3a1c5e77';

/** What the command sends to the cloud, as whom, and what it prints. */
async function run(json: boolean, ...args: string[]) {
  const calls: unknown[] = [];
  const roles: unknown[] = [];
  const client = {
    listDevices: async () => ({ items: [{ deviceUuid, nickname: 'basil' }], nextCursor: null }),
    forceUuid: async (request: { body: { deviceUuid: string } }) => {
      calls.push(request);
      return { deviceUuid: request.body.deviceUuid };
    },
    testAlert: async (request: unknown) => {
      calls.push(request);
      return { alertId: 7, kind: 'TEST' };
    },
  };
  const signIn = async (role: unknown) => {
    roles.push(role);
    return { client };
  };
  const context = { json: () => json, signIn } as unknown as CliContext;
  const program = new Command('ares').exitOverride();
  interventionCommands(program.command('device'), context);
  alertCommands(program, context);
  const log = vi.spyOn(console, 'log').mockClear().mockReturnValue(undefined);
  await program.parseAsync(args, { from: 'user' });
  return { calls, roles, printed: log.mock.calls.flat().join('\n') };
}

afterEach(() => vi.restoreAllMocks());

describe('ares device force-uuid', () => {
  it('says which device was renamed to what, for people and for machines', async () => {
    const words = ['device', 'force-uuid', 'basil', right, '--reason', 'misread'];
    const { calls, roles, printed } = await run(false, ...words);
    expect(calls).toEqual([{ params: { id: deviceUuid }, body: { deviceUuid: right, reason: 'misread' } }]);
    expect(roles).toEqual(['administrator']);
    expect(printed).toBe(`${deviceUuid} is ${right} now.`);
    expect(JSON.parse((await run(true, ...words)).printed)).toEqual({
      before: deviceUuid,
      deviceUuid: right,
      reason: 'misread',
    });
  });

  it('asks nobody about what is no UUID', async () => {
    await expect(
      run(false, 'device', 'force-uuid', 'basil', right.toUpperCase(), '--reason', 'x'),
    ).rejects.toThrow('no UUID in lower case');
  });
});

describe('ares alerts test', () => {
  it('raises one about a device or about none, and says who sees it', async () => {
    const { calls, printed } = await run(false, 'alerts', 'test', '--device', 'basil', '--note', 'ping');
    expect(calls).toEqual([{ body: { deviceUuid, note: 'ping' } }]);
    expect(printed).toContain(`Alert 7 is raised: administrators see it, and the owner of ${deviceUuid}.`);
    const general = await run(true, 'alerts', 'test');
    expect([general.calls, JSON.parse(general.printed)]).toEqual([
      [{ body: {} }],
      { alertId: 7, kind: 'TEST' },
    ]);
  });
});
