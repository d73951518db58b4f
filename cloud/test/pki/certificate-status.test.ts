import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CredentialsWorld, credentialsWorld } from '../support/credentials-world.ts';

let world: CredentialsWorld;
beforeAll(async () => {
  world = await credentialsWorld();
});
afterAll(() => world.close());

async function owned() {
  const [owner, device] = [await world.user(), await world.device()];
  const { certificateSerial } = await world.claimed(owner, device);
  return { serial: certificateSerial, by: { deviceUuid: device.deviceUuid, actorUserId: owner.userId } };
}

describe('looking up many certificates at once', () => {
  it('names those that are revoked, expired or of nobody, and leaves the others', async () => {
    const [revoked, good] = [await owned(), await owned()];
    await world.recovery.revoke(revoked.by);
    const asked = [revoked.serial, good.serial, '40aa'];
    expect([...(await world.certificates.refused(asked))]).toEqual([revoked.serial, '40aa']);
    expect([...(await world.certificates.refused([]))]).toEqual([]);
    world.clock.advance(86_400_000);
    expect(await world.certificates.refused([good.serial])).toEqual(new Set([good.serial]));
  });
});
