import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CredentialsWorld, credentialsWorld, outcome } from '../support/credentials-world.ts';
import { makeIdentity } from '../support/test-device.ts';

let world: CredentialsWorld;
/** What the certificate authority waits for. */
let signed: Promise<unknown> = Promise.resolve();
let asked: () => void = () => undefined;
beforeAll(async () => {
  world = await credentialsWorld({
    authority: (real) => ({
      readCsr: (csr) => real.readCsr(csr),
      async signDevice(request) {
        asked();
        await signed;
        return real.signDevice(request);
      },
    }),
  });
});
afterAll(() => world.close());

describe('a stranger who asks for credentials of a device that he has seen', () => {
  it('API-04 writes one security event a minute, however often he asks', async () => {
    const device = await world.device();
    await world.claimed(await world.user(), device);
    for (let n = 0; n < 5; n += 1) {
      const nonce = await world.nonce(device);
      const request = await device.request({ grant: 'identity', nonce, identity: makeIdentity() });
      expect(await outcome(world.credentials.request(request, undefined))).toBe('IDENTITY_MISMATCH');
    }
    const events = await world.database.db.selectFrom('security_events').select('code').execute();
    expect(events).toEqual([{ code: 'IDENTITY_MISMATCH' }]);
  });
});

describe('a device that is given away while its certificate is being signed', () => {
  it('gets neither certificate nor secret, and none is kept', async () => {
    const [owner, device] = [await world.user(), await world.device()];
    const gate = Promise.withResolvers<void>();
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    signed = gate.promise;
    const claiming = outcome(world.claimed(owner, device));
    await isAsked;
    await world.release.release({ deviceUuid: device.deviceUuid, actorUserId: owner.userId });
    gate.resolve();
    expect(await claiming).toBe('ASSIGNMENT_ENDED');
    const secrets = await world.database.db
      .selectFrom('assignment_secrets as s')
      .innerJoin('assignments as a', 'a.id', 's.assignment_id')
      .innerJoin('devices as d', 'd.id', 'a.device_id')
      .where('d.device_uuid', '=', device.deviceUuid)
      .select('s.id')
      .execute();
    expect(secrets).toEqual([]);
    expect((await world.certificatesOf(device)).map(({ status }) => status)).toEqual(['PENDING']);
    world.clock.advance(3_000);
    await world.release.finishDue();
    expect((await world.certificatesOf(device)).map(({ status }) => status)).toEqual(['REVOKED']);
  });
});
