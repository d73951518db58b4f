import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StoredCredentials } from '../../src/identity/credentials-store.ts';
import { createCredentialsKeeper } from '../../src/lifecycle/credentials-keeper.ts';
import { operate } from '../../src/lifecycle/operate.ts';
import type { Happening } from '../../src/lifecycle/runner.ts';
import { createSessionHolder } from '../../src/lifecycle/session-holder.ts';
import { createStandingClient } from '../../src/lifecycle/standing.ts';
import type { OperatingSession, SessionEvents } from '../../src/operate/types.ts';
import { CloudApiError } from '../../src/ports/cloud-api.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { writeDurableFile } from '../../src/store/durable-file.ts';
import { API_URL, createDeviceWorld, type DeviceWorld } from '../support/device-world.ts';

const HOUR = 3_600_000;
let world: DeviceWorld;
beforeEach(async () => {
  world = await createDeviceWorld();
});
afterEach(() => world.remove());

/** An operating device with a session of which only the words matter. */
async function start(
  options: {
    life?: { notBefore: number; notAfter: number };
    damage?: string;
    /** How long the device was switched off before this start, ms; it starts without a network. */
    offMs?: number;
  } = {},
) {
  const logged: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void logged.push(message) };
  const device = { ...world.boot(), logger };
  world.api.life = options.life;
  const never = new AbortController().signal;
  const claim = { grant: 'claim', apiUrl: API_URL, claim: world.api.claim() } as const;
  device.credentials.adopt(await device.issuer.obtain(claim, never));
  world.api.life = undefined;
  if (options.damage !== undefined) writeDurableFile(device.paths.credentials, options.damage);

  if (options.offMs !== undefined) {
    device.clock.setWall(Date.now() + options.offMs);
    world.api.fault = new CloudApiError('CONNECT', 'there is no network');
  }

  const listeners: { [E in keyof SessionEvents]?: (value: SessionEvents[E]) => void } = {};
  const used: StoredCredentials[] = [];
  const replaced: string[] = [];
  const stops: string[] = [];
  const session = {
    start: () => undefined,
    replaceCredentials: ({ certificateSerial }) => void replaced.push(certificateSerial),
    stop: async (reason) => void stops.push(reason),
    on: (event: keyof SessionEvents, listener: never) => {
      listeners[event] = listener;
      return () => undefined;
    },
  } as OperatingSession;
  const holder = createSessionHolder({
    clock: device.clock,
    create: (stored) => {
      used.push(stored);
      return session;
    },
  });
  const abort = new AbortController();
  let happening: Happening | undefined;
  const ports = {
    ...device,
    holder,
    keeper: createCredentialsKeeper({ ...device, store: device.credentials }),
    standing: createStandingClient(device),
    random: () => 0,
    cloud: () => ({ apiUrl: API_URL, assignment: 1 }),
  };
  const done = operate(ports, abort.signal).then((value) => {
    happening = value;
  });
  const idle = async () => {
    for (let turn = 0; turn < 60 || device.jobs.active > 0; turn += 1)
      await new Promise((r) => setImmediate(r));
  };
  await idle();
  return {
    device,
    logged,
    used,
    replaced,
    stops,
    happening: () => happening,
    say: async <E extends keyof SessionEvents>(event: E, value: SessionEvents[E]) => {
      listeners[event]?.(value);
      await idle();
    },
    pass: async (durationMs: number, stepMs = 15_000) => {
      for (let passed = 0; passed < durationMs; passed += stepMs) {
        await device.clock.advance(stepMs);
        await idle();
      }
    },
    stop: async () => {
      abort.abort();
      await done;
    },
  };
}

const refused = { why: 'CERTIFICATE_REFUSED', detail: 'the broker ended the session' } as const;

describe('renewal while the device works', () => {
  it('takes a new certificate of a new key at two thirds, on the running session', async () => {
    const now = Date.now();
    const agent = await start({ life: { notBefore: now - HOUR, notAfter: now + HOUR } });
    expect(agent.used).toHaveLength(1);
    await agent.pass(25 * 60_000);
    expect(agent.replaced).toHaveLength(1);
    expect(world.api.requests.map(({ grant }) => grant)).toEqual(['claim', 'renew']);
    expect(world.api.requests[0]?.csr).not.toBe(world.api.requests[1]?.csr);
    expect(agent.device.credentials.load()).toMatchObject({
      value: { answer: { certificateSerial: agent.replaced[0] } },
    });
    await agent.stop();
    expect(agent.stops).toHaveLength(1);
  });

  it('CLM-12 asks again with the same request when the answer was lost: one certificate', async () => {
    const now = Date.now();
    const agent = await start({ life: { notBefore: now - HOUR, notAfter: now + HOUR } });
    expect(world.api.requests).toHaveLength(1);
    world.api.loseNextAnswer = true;
    await agent.pass(25 * 60_000);
    const renewals = world.api.requests.slice(1);
    expect(renewals.length).toBeGreaterThanOrEqual(2);
    expect(new Set(renewals.map(({ csr }) => csr)).size).toBe(1);
    expect(world.api.issued.size).toBe(2);
    await agent.stop();
  });

  it('a certificate that has ended is replaced by grant identity', async () => {
    const agent = await start();
    agent.device.clock.setWall(Date.now() + 25 * HOUR);
    world.api.life = { notBefore: Date.now(), notAfter: Date.now() + 49 * HOUR };
    await agent.pass(15_000);
    expect(world.api.requests.map(({ grant }) => grant)).toEqual(['claim', 'identity']);
    await agent.stop();
  });

  it('NET-06 measures on after a start without the cloud, though the certificate has ended meanwhile', async () => {
    const agent = await start({
      offMs: 25 * HOUR,
      life: { notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR },
    });
    expect(agent.used).toHaveLength(1);
    expect(agent.replaced).toEqual([]);
    world.api.fault = undefined;
    world.api.life = { notBefore: Date.now(), notAfter: Date.now() + 49 * HOUR };
    await agent.pass(2 * 60_000);
    expect(world.api.requests.at(-1)?.grant).toBe('identity');
    expect(agent.replaced).toHaveLength(1);
    await agent.stop();
  });

  it('FSP-07 does not ask without end when the clock is far ahead', async () => {
    const agent = await start();
    agent.device.clock.setWall(Date.now() + 20 * HOUR);
    await agent.pass(2 * HOUR, 60_000);
    expect(world.api.requests.map(({ grant }) => grant)).toEqual(['claim', 'renew']);
    await agent.stop();
  });

  it('is not asked for later than it is due because the device looks seldom', async () => {
    const now = Date.now();
    const agent = await start({ life: { notBefore: now, notAfter: now + 30_000 } });
    await agent.pass(20_500, 500);
    expect(agent.replaced).toHaveLength(1);
    await agent.stop();
  });

  it.each([
    ['half a file', '{"v":1,"apiUrl":"https://127'],
    ['an empty file', ''],
    ['a file of something else', '{"v":1}'],
  ])('FSP-04 credentials that are %s are asked for again, and nothing crashes', async (_name, damage) => {
    const agent = await start({ damage });
    await vi.waitFor(() => expect(agent.used).toHaveLength(1));
    expect(world.api.requests.at(-1)?.grant).toBe('identity');
    expect(agent.happening()).toBeUndefined();
    await agent.stop();
  });

  it('FSP-04 a key that does not belong to its certificate is found at start', async () => {
    const first = await start();
    await first.stop();
    const stored = first.device.credentials.load();
    if (stored.kind !== 'found') throw new Error('no credentials');
    const { createPrivateKeyPem } = await import('../../src/identity/keys.ts');
    const agent = await start({
      damage: JSON.stringify({ ...stored.value, privateKeyPem: createPrivateKeyPem() }),
    });
    await vi.waitFor(() => expect(agent.used).toHaveLength(1));
    expect(world.api.requests.at(-1)?.grant).toBe('identity');
    await agent.stop();
  });
});

describe('when the broker refuses the device', () => {
  it.each([
    ['RECOVERY_NEEDED', 'standing-recovery-needed'],
    ['BLOCKED', 'standing-blocked'],
    ['RELEASED', 'reset-requested'],
  ] as const)('acts on the signed standing %s', async (standing, event) => {
    const agent = await start();
    world.api.standing = standing;
    await agent.say('refused', refused);
    await vi.waitFor(() => expect(agent.happening()).toMatchObject({ event }));
    expect(agent.device.marker.load() !== undefined).toBe(standing === 'RELEASED');
    expect(agent.stops).toHaveLength(1);
  });

  it('goes on when its standing is good, and asks seldom', async () => {
    const agent = await start();
    for (let i = 0; i < 20; i += 1) {
      await agent.say('refused', refused);
      await agent.pass(15_000);
    }
    expect(agent.happening()).toBeUndefined();
    expect(agent.device.jobs.log.filter((job) => job === 'standing').length).toBeLessThan(8);
    await agent.stop();
  });

  it('RENEW brings a certificate by the identity key', async () => {
    const agent = await start();
    world.api.standing = 'RENEW';
    await agent.say('refused', refused);
    await vi.waitFor(() => expect(agent.replaced).toHaveLength(1));
    expect(world.api.requests.at(-1)?.grant).toBe('identity');
    await agent.stop();
  });

  it('FSP-09 neither wipes nor recovers because of an error, whatever it says', async () => {
    const now = Date.now();
    const agent = await start({ life: { notBefore: now - HOUR, notAfter: now + HOUR } });
    world.api.fault = new CloudApiError('REFUSED', 'go away', { problem: 'RECOVERY_NEEDED' });
    await agent.pass(30 * 60_000);
    expect(agent.device.jobs.log).toContain('credentials');
    expect(agent.device.jobs.log).toContain('standing');
    await agent.say('refused', refused);
    expect(agent.happening()).toBeUndefined();
    expect(agent.device.marker.load()).toBeUndefined();
    expect(agent.device.credentials.load().kind).toBe('found');
    await agent.stop();
  });
});

describe('an order to reset', () => {
  it('is saved before anything is wiped', async () => {
    const agent = await start();
    const { deviceUuid } = agent.device.identity;
    const token = await world.api.signReset({ deviceUuid, assignment: 1 });
    await agent.say('reset-order', { token } as SessionEvents['reset-order']);
    await vi.waitFor(() => expect(agent.happening()).toMatchObject({ event: 'reset-requested' }));
    expect(agent.device.marker.load()).toMatchObject({ cause: 'order', cloud: { assignment: 1 } });
  });

  it('does not wait for a cloud that keeps the device waiting', async () => {
    const now = Date.now();
    const agent = await start({ life: { notBefore: now - HOUR, notAfter: now + HOUR } });
    let asked = false;
    agent.device.jobs.run = (_job, _input, { signal }) =>
      new Promise((_resolve, reject) => {
        asked = true;
        signal.addEventListener('abort', () => reject(new CloudApiError('ABORTED', 'given up')));
      });
    await agent.pass(25 * 60_000);
    expect(asked).toBe(true);
    const { deviceUuid } = agent.device.identity;
    const token = await world.api.signReset({ deviceUuid, assignment: 1 });
    await agent.say('reset-order', { token } as SessionEvents['reset-order']);
    await vi.waitFor(() => expect(agent.happening()).toMatchObject({ event: 'reset-requested' }));
  });

  it('CMD-14 of another assignment changes nothing', async () => {
    const agent = await start();
    const { deviceUuid } = agent.device.identity;
    const token = await world.api.signReset({ deviceUuid, assignment: 7 });
    await agent.say('reset-order', { token } as SessionEvents['reset-order']);
    // Only when it was looked at does it mean something that nothing happened.
    await vi.waitFor(() => expect(agent.logged).toContain('a reset order is refused'));
    await agent.pass(60_000);
    expect(agent.happening()).toBeUndefined();
    expect(agent.device.marker.load()).toBeUndefined();
    await agent.stop();
  });
});

describe('recovery with the token of the owner', () => {
  it('brings a new identity key, and the old one only goes when the new one is accepted', async () => {
    const agent = await start();
    await agent.stop();
    const { device } = agent;
    const keeper = createCredentialsKeeper({ ...device, store: device.credentials });
    const before = device.reloadLocal().identityKeyHash;
    const signal = new AbortController().signal;
    world.api.standing = 'RECOVERY_NEEDED';
    await expect(keeper.recover(API_URL, 'x'.repeat(43), signal)).rejects.toMatchObject({
      problem: 'TOKEN_INVALID',
    });
    expect(device.reloadLocal().identityKeyHash).toBe(before);
    world.api.loseNextAnswer = true;
    const token = world.api.recoveryToken();
    await expect(keeper.recover(API_URL, token, signal)).rejects.toMatchObject({ code: 'CONNECT' });
    expect(device.reloadLocal().identityKeyHash).toBe(before);
    await keeper.resumeRecovery(signal);
    expect(device.reloadLocal().identityKeyHash).not.toBe(before);
    expect(world.api.pinned).toBe(device.reloadLocal().identityKeyHash);
    expect(device.credentials.loadPending().kind).toBe('none');
  });
});
