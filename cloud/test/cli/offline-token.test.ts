import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { keyCommands } from '../../src/cli/commands/keys.ts';
import { offlineTokenCommands } from '../../src/cli/commands/offline-token.ts';
import type { CliContext } from '../../src/cli/program.ts';

const deviceUuid = '6a7c4c5e-7f4d-4c52-8b0e-0a4c4d1f2a33';
const params = { id: deviceUuid };
const kids = ['aaa1', 'aab2'];

/** What the command sends to the cloud. */
async function sent(...args: string[]): Promise<unknown[]> {
  const calls: unknown[] = [];
  const noting = (name: string, answer: object) => async (request: unknown) => {
    calls.push([name, request]);
    return answer;
  };
  const client = {
    listDevices: async () => ({ items: [{ deviceUuid, nickname: null }], nextCursor: null }),
    listKeys: async () => ({ items: kids.map((kid) => ({ kid })), nextCursor: null }),
    rotateKey: noting('rotate', { kid: 'k' }),
    deactivateKey: noting('deactivate', { kid: 'k' }),
    issueOfflineToken: noting('issue', { token: 't' }),
    verifyOfflineToken: noting('verify', { valid: false, reason: 'EXPIRED' }),
    revokeOfflineToken: noting('revoke', {}),
    revokeOfflineTokens: noting('revoke', { revoked: 1 }),
  };
  const signal = new AbortController().signal;
  const context = { json: () => true, signal, signIn: async () => ({ client }) } as unknown as CliContext;
  const program = new Command().exitOverride();
  keyCommands(program, context);
  offlineTokenCommands(program, context);
  vi.spyOn(console, 'log').mockReturnValue(undefined);
  await program.parseAsync(args, { from: 'user' });
  return calls;
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = 0;
});

describe('ares keys', () => {
  it('rotates, and deactivates by the beginning of a kid that is the only one', async () => {
    expect(await sent('keys', 'rotate', '6a7c', '--alg', 'ES256')).toEqual([
      ['rotate', { params, body: { alg: 'ES256' } }],
    ]);
    expect(await sent('keys', 'deactivate', '6a7c', 'aab')).toEqual([
      ['deactivate', { params: { ...params, kid: 'aab2' } }],
    ]);
    for (const kid of ['aa', 'x'])
      await expect(sent('keys', 'deactivate', '6a7c', kid)).rejects.toThrow(/fits [20] keys/);
  });
});

describe('ares offline-token', () => {
  it('issues for several actions and a duration', async () => {
    expect(await sent('offline-token', 'issue', '6a7c', 'pump:on', 'pump:stop', '--ttl', '2m')).toEqual([
      ['issue', { params, body: { scope: ['pump:on', 'pump:stop'], ttlSeconds: 120 } }],
    ]);
  });

  it('verifies what is not an argument, and ends with 1 when the token does not count', async () => {
    vi.stubEnv('ARES_OFFLINE_TOKEN', ' a.b.c\n');
    const verify = ['offline-token', 'verify', '--device', '6a7c', '--action', 'pump:on'];
    expect(await sent(...verify)).toEqual([
      ['verify', { body: { token: 'a.b.c', deviceUuid, action: 'pump:on' } }],
    ]);
    expect(process.exitCode).toBe(1);
  });

  it('revokes one, all, or the token that is read, and never all by accident', async () => {
    expect(await sent('offline-token', 'revoke', '6a7c', 'j')).toEqual([
      ['revoke', { params, body: { jti: 'j' } }],
    ]);
    expect(await sent('offline-token', 'revoke', '6a7c', '--all')).toEqual([
      ['revoke', { params, body: {} }],
    ]);
    await expect(sent('offline-token', 'revoke', '6a7c')).rejects.toThrow('--all');
    vi.stubEnv('ARES_OFFLINE_TOKEN', 'a.b.c');
    expect(await sent('offline-token', 'revoke')).toEqual([['revoke', { body: { token: 'a.b.c' } }]]);
  });
});
