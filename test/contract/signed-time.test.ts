import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contract, type Route } from '@ares/protocol/http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createUndiciCloudApi } from '../../agent/src/adapters/undici-cloud-api.ts';
import { askSignedTime } from '../../agent/src/clock/signed-time.ts';
import { openFileSecretStore } from '../../cloud/src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../cloud/src/adapters/local-certificate-authority.ts';
import { memoryRateLimiters } from '../../cloud/src/adapters/memory-rate-limiters.ts';
import { createHttpApp } from '../../cloud/src/http/app.ts';
import type { Handlers } from '../../cloud/src/http/handlers.ts';
import { type DeviceListener, listenDevices } from '../../cloud/src/http/listener.ts';
import { createPolicies } from '../../cloud/src/http/policies.ts';
import { createRateLimits, defaultLimits } from '../../cloud/src/http/rate-limits.ts';
import { createOrderSigner, type OrderSigner } from '../../cloud/src/orders/order-signer.ts';
import { timeRoutes } from '../../cloud/src/standing/routes.ts';
import { silentLogger } from '../../cloud/test/support/quiet.ts';

const LATER_MS = 400 * 86_400_000;
/** The cloud lives in a time that this device's clock has not reached. */
const cloudClock = { now: () => Date.now() + LATER_MS };
const signal = new AbortController().signal;
let dir: string;
let listener: DeviceListener;
let orders: OrderSigner;
let root: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ares-time-'));
  const secrets = await openFileSecretStore({ dir: join(dir, 'secrets') });
  orders = createOrderSigner({ key: await secrets.keyPair('command-signing'), clock: cloudClock });
  const config = { dir: join(dir, 'ca') };
  const authority = await openLocalCertificateAuthority({ secrets, clock: cloudClock, config });
  root = authority.caCertificates.root;
  const server = await authority.signServer({ names: ['127.0.0.1'] });
  const closing = new AbortController();
  const unused = async () => ({ status: 204 });
  const none = Object.fromEntries((Object.values(contract) as Route[]).map(({ id }) => [id, unused]));
  const hosts = new Set<string>();
  const app = createHttpApp({
    listener: 'device',
    handlers: { ...none, ...timeRoutes(orders) } as unknown as Handlers,
    policies: createPolicies({
      callerOf: async () => undefined,
      accessOf: async () => undefined,
      historyAccessOf: async () => undefined,
      deviceOf: async () => undefined,
    }),
    limits: createRateLimits(
      { ...defaultLimits, deviceTime: { points: 3, seconds: 60 } },
      memoryRateLimiters,
    ),
    log: silentLogger,
    clock: cloudClock,
    closing: closing.signal,
    apiHosts: hosts,
  });
  const address = { host: '127.0.0.1', port: 0 };
  listener = await listenDevices(app, address, { key: server.keyPem, chain: server.chainPem, root }, closing);
  hosts.add(`127.0.0.1:${listener.port}`);
});
afterAll(async () => {
  await listener.close();
  await rm(dir, { recursive: true });
});

describe('FSP-07 a device whose clock is a year behind and whose NTP is blocked', () => {
  it('learns the time from its cloud, and nothing else as long as it shows no time of its own; so often and no more', async () => {
    const api = createUndiciCloudApi({
      apiUrl: `https://127.0.0.1:${listener.port}`,
      caCertificates: [root],
    });
    const ask = () =>
      askSignedTime({
        ask: (nonce) => api.time(nonce, signal),
        commandKeys: orders.publicJwks(),
        clock: { monotonicMs: () => performance.now() },
        random: (count) => crypto.getRandomValues(new Uint8Array(count)),
      });
    try {
      const { epochMs } = await ask();
      expect(Math.abs(epochMs - cloudClock.now())).toBeLessThan(5_000);
      await expect(api.challenge('', signal)).rejects.toMatchObject({ code: 'CLOCK' });
      await ask();
      await ask();
      await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE', problem: 'TOO_MANY_REQUESTS' });
    } finally {
      await api.close();
    }
  });
});
