import { orderTypes, parseStandingClaims } from '@ares/protocol';
import { compactVerify, createLocalJWKSet } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CredentialsWorld, credentialsWorld, outcome } from '../support/credentials-world.ts';
import { makeIdentity, type TestDevice } from '../support/test-device.ts';

let world: CredentialsWorld;
beforeAll(async () => {
  world = await credentialsWorld();
});
afterAll(() => world.close());

/** Asks, verifies as a device does, and answers the claims. */
async function standing(device: TestDevice) {
  const nonce = await world.nonce(device);
  const jws = await world.standing.ask(device.standing(nonce));
  const keys = createLocalJWKSet({ keys: world.orders.publicJwks().keys.map((key) => ({ ...key })) });
  const { payload, protectedHeader } = await compactVerify(jws, keys, { algorithms: ['EdDSA'] });
  expect(protectedHeader.typ).toBe(orderTypes.standing);
  const claims = parseStandingClaims(JSON.parse(new TextDecoder().decode(payload)));
  if (!claims.ok) throw new Error(JSON.stringify(claims.issues));
  expect(claims.value).toMatchObject({ aud: device.deviceUuid, nonce });
  return claims.value;
}

async function owned() {
  const [owner, device] = [await world.user(), await world.device()];
  const answer = await world.claimed(owner, device);
  return { device, answer, by: { deviceUuid: device.deviceUuid, actorUserId: owner.userId } };
}

describe('the standing of a device', () => {
  it('is ACTIVE with a certificate, RENEW when it has expired', async () => {
    const { device } = await owned();
    expect(await standing(device)).toMatchObject({ standing: 'ACTIVE' });
    world.clock.advance(24 * 3_600_000);
    expect(await standing(device)).toMatchObject({ standing: 'RENEW' });
  });

  it('is RENEW when the newer certificate never arrived and the older one is refused', async () => {
    const { device, answer } = await owned();
    await world.certificates.lookUp(answer.certificateSerial);
    const request = await device.request({ grant: 'identity', nonce: await world.nonce(device) });
    const lost = await world.credentials.request(request, undefined);
    expect(await standing(device)).toMatchObject({ standing: 'ACTIVE' });
    world.clock.advance(301_000);
    expect(await standing(device)).toMatchObject({ standing: 'RENEW' });
    await world.certificates.lookUp(lost.certificateSerial);
    expect(await standing(device)).toMatchObject({ standing: 'ACTIVE' });
  });

  it('is RECOVERY_NEEDED after a revocation, BLOCKED when an administrator said so', async () => {
    const { device, by } = await owned();
    await world.recovery.revoke(by);
    expect(await standing(device)).toMatchObject({ standing: 'RECOVERY_NEEDED' });
    await world.database.db
      .updateTable('devices')
      .set({ life_cycle: 'BLOCKED' })
      .where('device_uuid', '=', device.deviceUuid)
      .execute();
    expect(await standing(device)).toMatchObject({ standing: 'BLOCKED' });
  });

  it('is RELEASED with the reset order, also while recovery is pending: the data must go', async () => {
    const [plain, revoked] = [await owned(), await owned()];
    await world.recovery.revoke(revoked.by);
    for (const { device, by } of [plain, revoked]) {
      await world.release.release(by);
      const { payload } = world.published.at(-1)!;
      expect(await standing(device)).toMatchObject({ standing: 'RELEASED', order: payload });
    }
  });
});

describe('refusing to say anything', () => {
  it('to who does not hold the pinned key, or says it twice, or too late, or for another host', async () => {
    const { device } = await owned();
    const nonce = await world.nonce(device);
    const asked = device.standing(nonce);
    await world.standing.ask(asked);
    expect(await outcome(world.standing.ask(asked))).toBe('NONCE_UNKNOWN');
    const late = device.standing(await world.nonce(device));
    world.clock.advance(600_000);
    expect(await outcome(world.standing.ask(late))).toBe('NONCE_EXPIRED');
    const fresh = await world.nonce(device);
    expect(await outcome(world.standing.ask({ ...asked, nonce: fresh }))).toBe('BAD_SIGNATURE');
    device.apiHost = 'evil.example.org';
    expect(await outcome(world.standing.ask(device.standing(fresh)))).toBe('BAD_SIGNATURE');
    device.apiHost = '127.0.0.1:8443';
    device.identity = makeIdentity();
    expect(await outcome(world.standing.ask(device.standing(fresh)))).toBe('BAD_SIGNATURE');
    const unclaimed = await world.device();
    expect(await outcome(world.standing.ask(unclaimed.standing(await world.nonce(unclaimed))))).toBe(
      'BAD_SIGNATURE',
    );
  });
});
