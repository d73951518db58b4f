import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CredentialsWorld,
  credentialsWorld,
  outcome,
} from '../../cloud/test/support/credentials-world.ts';
import { makeIdentity, type TestDevice } from '../../cloud/test/support/test-device.ts';
import { makeCsr } from '../support/certificate-requests.ts';

let world: CredentialsWorld;
beforeAll(async () => {
  world = await credentialsWorld();
});
afterAll(() => world.close());

async function revoked() {
  const [owner, device] = [await world.user(), await world.device()];
  const answer = await world.claimed(owner, device);
  const by = { deviceUuid: device.deviceUuid, actorUserId: owner.userId };
  await world.recovery.revoke(by);
  return { owner, device, answer, by, old: device.identity };
}
async function recover(device: TestDevice, recoveryToken: string) {
  const nonce = await world.nonce(device);
  return world.credentials.request(
    await device.request({ grant: 'recovery', nonce, recoveryToken }),
    undefined,
  );
}
const guess = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url');

describe('CLM-13 the recovery token', () => {
  it('CLM-13 works once', async () => {
    const { device, by, answer } = await revoked();
    const { token } = await world.recovery.token(by);
    device.identity = makeIdentity();
    const recovered = await recover(device, token);
    expect(recovered).toMatchObject({ assignment: 1, kid: 'a1.3' });
    expect(recovered.sharedSecret).not.toBe(answer.sharedSecret);
    expect(await world.lifeCycle(device)).toBe('ACTIVE');
    device.identity = makeIdentity();
    expect(await outcome(recover(device, token))).toBe('TOKEN_INVALID');
  });

  it('CLM-13 gives the same answer when the first was lost', async () => {
    const { device, by } = await revoked();
    const { token } = await world.recovery.token(by);
    device.identity = makeIdentity();
    const csr = await makeCsr();
    const ask = async () =>
      world.credentials.request(
        await device.request({
          grant: 'recovery',
          nonce: await world.nonce(device),
          recoveryToken: token,
          csr,
        }),
        undefined,
      );
    expect((await ask()).certificateChain).toBe((await ask()).certificateChain);
  });

  it('CLM-13 is refused after ten minutes, for another device, and once a newer one was made', async () => {
    const [one, two] = [await revoked(), await revoked()];
    const foreign = (await world.recovery.token(two.by)).token;
    const replaced = (await world.recovery.token(one.by)).token;
    const late = (await world.recovery.token(one.by)).token;
    one.device.identity = makeIdentity();
    for (const token of [foreign, replaced, guess()])
      expect(await outcome(recover(one.device, token))).toBe('TOKEN_INVALID');
    world.clock.advance(600_000);
    expect(await outcome(recover(one.device, late))).toBe('TOKEN_INVALID');
  });

  it('CLM-13 guesses are slowed down after five, while the right token still works', async () => {
    const { device, by } = await revoked();
    const { token } = await world.recovery.token(by);
    device.identity = makeIdentity();
    const codes = [];
    for (let i = 0; i < 8; i++) codes.push(await outcome(recover(device, guess())));
    expect(codes.slice(0, 5)).toEqual(Array(5).fill('TOKEN_INVALID'));
    expect(codes.slice(5)).toEqual(Array(3).fill('TOO_MANY_REQUESTS'));
    expect(await recover(device, token)).toMatchObject({ assignment: 1 });
  });

  it('CLM-13 exists only for a device that needs recovery', async () => {
    const [owner, device] = [await world.user(), await world.device()];
    await world.claimed(owner, device);
    const by = { deviceUuid: device.deviceUuid, actorUserId: owner.userId };
    expect(await outcome(world.recovery.token(by))).toBe('CONFLICT');
  });
});

describe('PKI-05 a stolen device key', () => {
  it('PKI-05 is worth nothing after the revocation: no grant but recovery works', async () => {
    const { device, answer } = await revoked();
    expect(await world.certificates.current(answer.certificateSerial)).toBeUndefined();
    const certificate = { deviceUuid: device.deviceUuid, certificateSerial: answer.certificateSerial };
    const renew = await device.request({ grant: 'renew', nonce: await world.nonce(device) });
    expect(await outcome(world.credentials.request(renew, certificate))).toBe('RECOVERY_NEEDED');
    const identity = await device.request({ grant: 'identity', nonce: await world.nonce(device) });
    expect(await outcome(world.credentials.request(identity, undefined))).toBe('RECOVERY_NEEDED');
    expect(await world.lifeCycle(device)).toBe('RECOVERY_NEEDED');
  });

  it('PKI-05 is dead for ever once the owner recovered: for this device, and for every other', async () => {
    const { device, by, old } = await revoked();
    const { token } = await world.recovery.token(by);
    device.identity = makeIdentity();
    await recover(device, token);
    const thief = await device.request({
      grant: 'identity',
      nonce: await world.nonce(device),
      identity: old,
    });
    expect(await outcome(world.credentials.request(thief, undefined))).toBe('IDENTITY_MISMATCH');

    await world.recovery.revoke(by);
    const next = (await world.recovery.token(by)).token;
    device.identity = old;
    expect(await outcome(recover(device, next))).toBe('KEY_IN_USE');
    const other = await world.device({ identityKeyHash: null });
    const pinned = world.database.db
      .updateTable('devices')
      .set({ identity_key_hash: device.identityKeyHash })
      .where('device_uuid', '=', other.deviceUuid)
      .execute();
    await expect(pinned).rejects.toMatchObject({ constraint: 'devices_identity_key_retired' });
  });

  it('PKI-05 recovery does not accept the key that is to be replaced, nor one of another device', async () => {
    const { device, by } = await revoked();
    const { token } = await world.recovery.token(by);
    expect(await outcome(recover(device, token))).toBe('KEY_IN_USE');
    device.identity = (await world.device()).identity;
    expect(await outcome(recover(device, token))).toBe('KEY_IN_USE');
    device.identity = makeIdentity();
    expect(await recover(device, token)).toMatchObject({ assignment: 1 });
  });
});
