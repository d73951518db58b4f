import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFileSecretStore } from '../../cloud/src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../cloud/src/adapters/local-certificate-authority.ts';
import { chooseStateStore, openSharedMemory } from '../../cloud/src/compose-redis.ts';
import { silentLogger, until } from '../../cloud/test/support/quiet.ts';
import { freePort } from '../support/ares-process.ts';
import { hasRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

const PASSWORD = 'p@ss/word';

describe.skipIf(!hasRedis())('Redis behind TLS with a password (needs the program redis-server)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ares-redis-tls-'));
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const authority = async (name: string) =>
    openLocalCertificateAuthority({
      secrets: await openFileSecretStore({ dir: join(folder, name, 'secrets') }),
      clock: { now: Date.now },
      config: { dir: join(folder, name, 'ca') },
    });
  let server: RedisServer;
  let port: number;
  let own: string;
  let foreign: string;
  beforeAll(async () => {
    const mine = await authority('mine');
    const { keyPem, chainPem } = await mine.signServer({ names: ['localhost'] });
    own = file('own.pem', mine.caCertificates.root);
    foreign = file('foreign.pem', (await authority('foreign')).caCertificates.root);
    port = await freePort();
    server = await startRedisServer([
      ...['--tls-port', String(port), '--tls-auth-clients', 'no', '--tls-ca-cert-file', own],
      ...['--tls-cert-file', file('chain.pem', chainPem), '--tls-key-file', file('key.pem', keyPem)],
      ...['--user', 'ares', 'on', `>${PASSWORD}`, '~*', '&*', '+@all'],
    ]);
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const healthy = async (redisUrl: string, within: number) => {
    await using stack = new AsyncDisposableStack();
    const config = { redisUrl, roles: new Set(['api'] as const) };
    const shared = await openSharedMemory(config, randomUUID(), silentLogger, stack);
    const store = chooseStateStore({}, shared);
    return await until(() => store.healthy(), 'a healthy store', within).catch(() => false);
  };
  const url = (host: string, root: string) =>
    `rediss://ares:${encodeURIComponent(PASSWORD)}@${host}:${port}?cacert=${encodeURIComponent(root)}`;

  it('is used with its own authority', async () => {
    expect(await healthy(url('localhost', own), 20_000)).toBe(true);
  });

  it('is refused with a certificate of another authority, or for another name', async () => {
    expect(await healthy(url('localhost', foreign), 2_000)).toBe(false);
    expect(await healthy(url('127.0.0.1', own), 2_000)).toBe(false);
  });

  it('says that the file of the authority cannot be read', async () => {
    await expect(healthy(url('localhost', join(folder, 'none.pem')), 1)).rejects.toThrow(
      /^cacert of REDIS_URL cannot be read: ENOENT/,
    );
  });
});
