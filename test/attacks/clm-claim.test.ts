import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CredentialsWorld,
  credentialsWorld,
  outcome,
} from '../../cloud/test/support/credentials-world.ts';
import { makeIdentity } from '../../cloud/test/support/test-device.ts';

let world: CredentialsWorld;
beforeAll(async () => {
  world = await credentialsWorld();
});
afterAll(() => world.close());

describe('CLM-01 a stranger who read the serial somewhere', () => {
  it('CLM-01 gets no claim with a UUID or key of his own', async () => {
    const [stranger, device] = [await world.user(), await world.device()];
    const other = await world.device();
    const { cpuSerial, deviceUuid, identityKeyHash } = device.claimBody;
    const tries = [
      { cpuSerial, deviceUuid: other.deviceUuid, identityKeyHash },
      { cpuSerial, deviceUuid: crypto.randomUUID(), identityKeyHash },
      { cpuSerial, deviceUuid, identityKeyHash: 'ab'.repeat(32) },
    ];
    for (const body of tries)
      expect(await outcome(world.claims.claim(body, stranger))).toBe('IDENTITY_MISMATCH');
    const unknown = { ...device.claimBody, cpuSerial: 'deadbeef', deviceUuid: crypto.randomUUID() };
    expect(await outcome(world.claims.claim(unknown, stranger))).toBe('NOT_FOUND');
  });

  it('CLM-01 cannot claim a device of which only the serial is registered', async () => {
    const [stranger, device] = [await world.user(), await world.device({ identityKeyHash: null })];
    expect(await outcome(world.claims.claim(device.claimBody, stranger))).toBe('IDENTITY_UNKNOWN');
    const until = new Date(world.clock.now() - 1);
    const late = await world.device({ identityKeyHash: null, firstUseUntil: until });
    expect(await outcome(world.claims.claim(late.claimBody, stranger))).toBe('IDENTITY_UNKNOWN');
  });

  it('CLM-01 holds a pending claim at most, completes nothing, and the true owner still claims', async () => {
    const [stranger, owner, device] = [await world.user(), await world.user(), await world.device()];
    const { claimId, nonce } = await world.claims.claim(device.claimBody, stranger);
    const identity = makeIdentity();
    const forged = await device.request({ grant: 'claim', claimId, nonce, identity });
    expect(await outcome(world.credentials.request(forged, undefined))).toBe('IDENTITY_MISMATCH');
    expect(await world.certificatesOf(device)).toEqual([]);
    expect(await world.claimed(owner, device)).toMatchObject({ userEmail: owner.email, assignment: 1 });
  });

  it('CLM-01 is stopped by the quota, refused tries included, also when they come at once', async () => {
    const [stranger, device] = [await world.user(), await world.device()];
    const wrong = { ...device.claimBody, identityKeyHash: 'cd'.repeat(32) };
    const codes = await Promise.all(
      Array.from({ length: 30 }, () => outcome(world.claims.claim(wrong, stranger))),
    );
    expect(codes.filter((code) => code === 'IDENTITY_MISMATCH')).toHaveLength(20);
    expect(codes.filter((code) => code === 'TOO_MANY_REQUESTS')).toHaveLength(10);
    expect(await outcome(world.claims.claim(device.claimBody, stranger))).toBe('TOO_MANY_REQUESTS');
    // Another user is not held up by it.
    expect(await world.claims.claim(device.claimBody, await world.user())).toMatchObject({
      deviceApiUrl: 'https://127.0.0.1:8443',
    });
  });
});

describe('CLM-10 a device that has an owner', () => {
  it('CLM-10 stays with him, and he is told', async () => {
    const [owner, stranger, device] = [await world.user(), await world.user(), await world.device()];
    await world.claimed(owner, device);
    expect(await outcome(world.claims.claim(device.claimBody, stranger))).toBe('DEVICE_OWNED');
    expect(await world.alertsOf(device)).toEqual(['CLAIM_OF_OWNED_DEVICE']);
    // A second try within the hour is one more event but no second alert.
    expect(await outcome(world.claims.claim(device.claimBody, stranger))).toBe('DEVICE_OWNED');
    expect(await world.alertsOf(device)).toHaveLength(1);
  });

  it('CLM-10 stays with him when a claim was pending from before', async () => {
    const [owner, stranger, device] = [await world.user(), await world.user(), await world.device()];
    const { claimId, nonce } = await world.claims.claim(device.claimBody, stranger);
    const { assignment } = await world.claimed(owner, device);
    const late = await device.request({ grant: 'claim', claimId, nonce });
    expect(await outcome(world.credentials.request(late, undefined))).toBe('DEVICE_OWNED');
    expect(await world.alertsOf(device)).toEqual(['CLAIM_OF_OWNED_DEVICE']);
    const again = await device.request({ grant: 'identity', nonce: await world.nonce(device) });
    expect(await world.credentials.request(again, undefined)).toMatchObject({
      userEmail: owner.email,
      assignment,
    });
  });

  it('CLM-10 can be claimed again by the owner himself: a new assignment, a new secret, the old ones dead', async () => {
    const [owner, device] = [await world.user(), await world.device()];
    const first = await world.claimed(owner, device);
    const second = await world.claimed(owner, device);
    expect(second).toMatchObject({ assignment: 2, kid: 'a2.1', userEmail: owner.email });
    expect(second.sharedSecret).not.toBe(first.sharedSecret);
    expect(await world.certificates.current(first.certificateSerial)).toBeUndefined();
    expect(await world.certificates.current(second.certificateSerial)).toBeDefined();
    const secrets = await world.database.db
      .selectFrom('assignment_secrets as s')
      .innerJoin('assignments as a', 'a.id', 's.assignment_id')
      .innerJoin('devices as d', 'd.id', 'a.device_id')
      .where('d.device_uuid', '=', device.deviceUuid)
      .select('a.number')
      .execute();
    expect(secrets).toEqual([{ number: 2 }]);
  });
});

describe('CLM-15 a claim that a stranger keeps pending for ever', () => {
  it('CLM-15 does not keep the owner from his device, who completes first', async () => {
    const [stranger, owner, device] = [await world.user(), await world.user(), await world.device()];
    const pending = [];
    for (let i = 0; i < 10; i++) pending.push(await world.claims.claim(device.claimBody, stranger));
    expect(await world.claimed(owner, device)).toMatchObject({ userEmail: owner.email });
    for (const { claimId, nonce } of pending) {
      const request = await device.request({ grant: 'claim', claimId, nonce });
      expect(await outcome(world.credentials.request(request, undefined))).toBe('DEVICE_OWNED');
    }
  });

  it('CLM-15 the first of two racing completions wins, the other learns that the device is owned', async () => {
    const [one, two, device] = [await world.user(), await world.user(), await world.device()];
    const requests = await Promise.all(
      [one, two].map(async (user) => {
        const { claimId, nonce } = await world.claims.claim(device.claimBody, user);
        return device.request({ grant: 'claim', claimId, nonce });
      }),
    );
    const answers = await Promise.all(
      requests.map((request) => outcome(world.credentials.request(request, undefined))),
    );
    expect(answers.filter((answer) => answer === 'DEVICE_OWNED')).toHaveLength(1);
    expect(answers.filter((answer) => typeof answer !== 'string')).toHaveLength(1);
  });
});

describe('first use, where an administrator allowed it', () => {
  it('pins only the key that the app read from the device, not one that completes in its place', async () => {
    const firstUseUntil = new Date(world.clock.now() + 86_400_000);
    const device = await world.device({ identityKeyHash: null, firstUseUntil });
    const owner = await world.user();
    const { claimId, nonce } = await world.claims.claim(device.claimBody, owner);
    const identity = makeIdentity();
    const forged = await device.request({ grant: 'claim', claimId, nonce, identity });
    expect(await outcome(world.credentials.request(forged, undefined))).toBe('IDENTITY_MISMATCH');
    const honest = await device.request({ grant: 'claim', claimId, nonce });
    expect(await world.credentials.request(honest, undefined)).toMatchObject({ assignment: 1 });
  });

  it('pins the key of the first completed claim, once, and says so in the audit log', async () => {
    const until = new Date(world.clock.now() + 86_400_000);
    const device = await world.device({ identityKeyHash: null, firstUseUntil: until });
    const owner = await world.user();
    expect(await world.claimed(owner, device)).toMatchObject({ assignment: 1 });
    const stranger = { ...device.claimBody, identityKeyHash: 'ab'.repeat(32) };
    expect(await outcome(world.claims.claim(stranger, owner))).toBe('IDENTITY_MISMATCH');
    const { action } = await world.database.db
      .selectFrom('audit_log')
      .select('action')
      .where('object_id', '=', device.deviceUuid)
      .where('action', '=', 'device.pin-first-use')
      .executeTakeFirstOrThrow();
    expect(action).toBe('device.pin-first-use');
  });
});
