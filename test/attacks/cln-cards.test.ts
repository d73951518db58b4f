import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CredentialsWorld,
  credentialsWorld,
  outcome,
} from '../../cloud/test/support/credentials-world.ts';
import { makeIdentity, type TestDevice } from '../../cloud/test/support/test-device.ts';

let world: CredentialsWorld;
beforeAll(async () => {
  world = await credentialsWorld();
});
afterAll(() => world.close());

async function renew(device: TestDevice, certificateSerial: string, cpuSerial = device.cpuSerial) {
  const request = await device.request({ grant: 'renew', nonce: await world.nonce(device), cpuSerial });
  return outcome(world.credentials.request(request, { deviceUuid: device.deviceUuid, certificateSerial }));
}

describe('CLN-01 a card that was copied to a second board', () => {
  it('CLN-01 is refused at renewal and flagged, while nothing changes for the original', async () => {
    const device = await world.device();
    const { certificateSerial } = await world.claimed(await world.user(), device);
    expect(await renew(device, certificateSerial, 'feedfacefeedface')).toBe('IDENTITY_MISMATCH');
    expect(await world.alertsOf(device)).toEqual(['CLONE_SUSPECTED']);
    expect(await world.lifeCycle(device)).toBe('ACTIVE');
    expect(await world.certificates.current(certificateSerial)).toBeDefined();
  });

  it('CLN-01 a stranger who merely claims to be on another board changes nothing', async () => {
    const device = await world.device();
    const { certificateSerial } = await world.claimed(await world.user(), device);
    const request = await device.request({
      grant: 'identity',
      nonce: await world.nonce(device),
      cpuSerial: 'feedfacefeedface',
      identity: makeIdentity(),
    });
    expect(await outcome(world.credentials.request(request, undefined))).toBe('IDENTITY_MISMATCH');
    expect(await world.alertsOf(device)).toEqual([]);
    expect(await renew(device, certificateSerial)).toMatchObject({ assignment: 1 });
  });
});

describe('CLN-03 the original that returns after its clone', () => {
  it('CLN-03 is not trusted either: both need recovery by the owner', async () => {
    const [owner, device] = [await world.user(), await world.device()];
    const { certificateSerial } = await world.claimed(owner, device);
    await renew(device, certificateSerial, 'feedfacefeedface');
    expect(await renew(device, certificateSerial)).toBe('RECOVERY_NEEDED');
    expect(await world.lifeCycle(device)).toBe('RECOVERY_NEEDED');
    expect(await world.certificates.current(certificateSerial)).toBeUndefined();
    expect(await world.alertsOf(device)).toEqual(['CLONE_SUSPECTED', 'CLONE_CONFIRMED']);

    const by = { deviceUuid: device.deviceUuid, actorUserId: owner.userId };
    const { token: recoveryToken } = await world.recovery.token(by);
    device.identity = makeIdentity();
    const request = await device.request({
      grant: 'recovery',
      nonce: await world.nonce(device),
      recoveryToken,
    });
    const recovered = await world.credentials.request(request, undefined);
    expect(await renew(device, recovered.certificateSerial)).toMatchObject({ assignment: 1 });
  });
});
