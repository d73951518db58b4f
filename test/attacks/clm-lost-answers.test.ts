import { afterEach, describe, expect, it } from 'vitest';
import {
  type CertificateAuthority,
  CertificateAuthorityError,
} from '../../cloud/src/ports/certificate-authority.ts';
import {
  type CredentialsWorld,
  credentialsWorld,
  outcome,
} from '../../cloud/test/support/credentials-world.ts';
import { until } from '../../cloud/test/support/quiet.ts';
import type { TestDevice } from '../../cloud/test/support/test-device.ts';
import { makeCsr } from '../support/certificate-requests.ts';

let world: CredentialsWorld;
afterEach(() => world.close());

const statuses = async (device: TestDevice) =>
  (await world.certificatesOf(device)).map(({ status }) => status);
const peer = (device: TestDevice, answer: { certificateSerial: string }) => ({
  deviceUuid: device.deviceUuid,
  certificateSerial: answer.certificateSerial,
});

describe('CLM-12 a renewal whose answer was lost', () => {
  it('CLM-12 answers the same certificate again, and one certificate is valid', async () => {
    world = await credentialsWorld();
    const device = await world.device();
    const first = await world.claimed(await world.user(), device);
    const renewal = await device.request({ grant: 'renew', nonce: await world.nonce(device) });
    const lost = await world.credentials.request(renewal, peer(device, first));
    const again = await world.replica().credentials.request(renewal, peer(device, first));
    expect(again).toEqual(lost);
    expect(again).toMatchObject({ assignment: 1, kid: first.kid, sharedSecret: first.sharedSecret });
    expect(await statuses(device)).toEqual(['SUPERSEDED', 'ACTIVE']);
  });

  it('CLM-12 answers the same for a new nonce and a CSR made anew with the same key', async () => {
    world = await credentialsWorld();
    const device = await world.device();
    await world.claimed(await world.user(), device);
    const { keys } = await makeCsr();
    const ask = async () =>
      world.credentials.request(
        await device.request({
          grant: 'identity',
          nonce: await world.nonce(device),
          csr: await makeCsr({ keys }),
        }),
        undefined,
      );
    const [one, two] = [await ask(), await ask()];
    expect(two.certificateChain).toBe(one.certificateChain);
    expect(await statuses(device)).toEqual(['SUPERSEDED', 'ACTIVE']);
  });

  it('CLM-12 the old certificate counts until the new one is used, or five minutes', async () => {
    world = await credentialsWorld();
    const [used, unused] = [await world.device(), await world.device()];
    const isCurrent = async (answer: { certificateSerial: string }) =>
      (await world.certificates.current(answer.certificateSerial)) !== undefined;
    const renewed = [];
    for (const device of [used, unused]) {
      const old = await world.claimed(await world.user(), device);
      const request = await device.request({ grant: 'renew', nonce: await world.nonce(device) });
      renewed.push({ old, fresh: await world.credentials.request(request, peer(device, old)) });
    }
    const [one, two] = renewed as [(typeof renewed)[0], (typeof renewed)[0]];
    expect(await Promise.all([isCurrent(one.old), isCurrent(two.old)])).toEqual([true, true]);
    await world.certificates.admit({ serial: one.fresh.certificateSerial, deviceUuid: used.deviceUuid });
    expect(await Promise.all([isCurrent(one.old), isCurrent(two.old)])).toEqual([false, true]);
    world.clock.advance(5 * 60_000 + 1);
    expect(await isCurrent(two.old)).toBe(false);
    expect(await Promise.all([isCurrent(one.fresh), isCurrent(two.fresh)])).toEqual([true, true]);
  });

  it('CLM-12 a renewal without a valid certificate of the same device is refused', async () => {
    world = await credentialsWorld();
    const [device, other] = [await world.device(), await world.device()];
    const own = await world.claimed(await world.user(), device);
    const foreign = await world.claimed(await world.user(), other);
    const renew = async (certificate: ReturnType<typeof peer> | undefined) => {
      const request = await device.request({ grant: 'renew', nonce: await world.nonce(device) });
      return outcome(world.credentials.request(request, certificate));
    };
    expect(await renew(undefined)).toBe('CERTIFICATE_REQUIRED');
    expect(await renew(peer(other, foreign))).toBe('CERTIFICATE_REQUIRED');
    expect(await renew(peer(device, foreign))).toBe('CERTIFICATE_REQUIRED');
    world.clock.advance(25 * 3_600_000);
    expect(await renew(peer(device, own))).toBe('CERTIFICATE_REQUIRED');
    const identity = await device.request({ grant: 'identity', nonce: await world.nonce(device) });
    expect(await world.credentials.request(identity, undefined)).toMatchObject({ assignment: 1 });
  });
});

describe('CLM-16 a certificate authority that is slow or dead', () => {
  /** Stands before the real authority: passes on, holds back, or is dead. */
  function gate() {
    const held: (() => void)[] = [];
    let mode: 'open' | 'held' | 'dead' = 'open';
    let signed = 0;
    const before = (real: CertificateAuthority) => ({
      readCsr: real.readCsr.bind(real),
      async signDevice(request: Parameters<CertificateAuthority['signDevice']>[0]) {
        if (mode === 'dead') throw new CertificateAuthorityError('UNAVAILABLE', 'connection refused');
        if (mode === 'held') await new Promise<void>((open) => held.push(open));
        signed += 1;
        return real.signDevice(request);
      },
    });
    return {
      before,
      set: (to: typeof mode) => {
        mode = to;
      },
      release: () => {
        for (const open of held.splice(0)) open();
      },
      signed: () => signed,
      waiting: () => held.length,
    };
  }

  it('CLM-16 asks the device to come back, and then gives it the one certificate', async () => {
    const authority = gate();
    world = await credentialsWorld({ authority: authority.before, answerWithinMs: 100 });
    const [owner, device] = [await world.user(), await world.device()];
    const { claimId, nonce } = await world.claims.claim(device.claimBody, owner);
    const request = await device.request({ grant: 'claim', claimId, nonce });
    const ask = () => world.credentials.request(request, undefined);

    authority.set('dead');
    await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 5 });
    expect(await statuses(device)).toEqual(['PENDING']);
    authority.set('held');
    await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(authority.waiting()).toBe(1);
    // Half an hour later: the claim was used in time, so it still completes.
    world.clock.advance(30 * 60_000);
    authority.release();
    await until(async () => (await statuses(device))[0] === 'ACTIVE', 'the late signature is stored');
    // On a busy machine an answer may take longer than this world waits: the device comes back then, too.
    const comeBack = () => until(() => ask().catch(() => undefined), 'the answer');
    const answer = await comeBack();
    expect(answer).toMatchObject({ assignment: 1, userEmail: owner.email });
    expect(await comeBack()).toEqual(answer);
    expect(authority.signed()).toBe(1);
    expect(await statuses(device)).toEqual(['ACTIVE']);
  });

  it('CLM-16 two replicas that both got a late signature store one', async () => {
    const authority = gate();
    world = await credentialsWorld({ authority: authority.before, answerWithinMs: 5_000 });
    const device = await world.device();
    const { claimId, nonce } = await world.claims.claim(device.claimBody, await world.user());
    const request = await device.request({ grant: 'claim', claimId, nonce });
    authority.set('held');
    const asked = [world, world.replica()].map(({ credentials }) => credentials.request(request, undefined));
    await until(() => authority.waiting() === 2, 'both replicas ask the authority');
    authority.release();
    const [one, two] = await Promise.all(asked);
    expect(authority.signed()).toBe(2);
    expect(one?.certificateChain).toBe(two?.certificateChain);
    expect(one?.sharedSecret).toBe(two?.sharedSecret);
  });

  it('CLM-16 the owner can take the device back while the authority is dead', async () => {
    const authority = gate();
    world = await credentialsWorld({ authority: authority.before, answerWithinMs: 5_000 });
    const [owner, device] = [await world.user(), await world.device()];
    authority.set('dead');
    expect(await outcome(world.claimed(owner, device))).toBe('UNAVAILABLE');
    authority.set('open');
    expect(await world.claimed(owner, device)).toMatchObject({ assignment: 2 });
    expect(await statuses(device)).toEqual(['REVOKED', 'ACTIVE']);
  });

  it('CLM-16 what is signed after the release is thrown away', async () => {
    const authority = gate();
    world = await credentialsWorld({ authority: authority.before, answerWithinMs: 5_000 });
    const [owner, device] = [await world.user(), await world.device()];
    authority.set('held');
    const asked = outcome(world.claimed(owner, device));
    await until(() => authority.waiting() === 1, 'the authority is asked');
    await world.release.release({ deviceUuid: device.deviceUuid, actorUserId: owner.userId });
    authority.release();
    expect(await asked).toBe('ASSIGNMENT_ENDED');
    world.clock.advance(3_000);
    await world.release.finishDue();
    expect(await statuses(device)).not.toContain('ACTIVE');
  });

  it('CLM-16 a fleet beyond the set rate is told when to come back', async () => {
    world = await credentialsWorld({ queue: { perSecond: 10, maxWaitMs: 200 } });
    const answers = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const device = await world.device();
        const { claimId, nonce } = await world.claims.claim(device.claimBody, await world.user());
        const request = await device.request({ grant: 'claim', claimId, nonce });
        return { request, answer: await outcome(world.credentials.request(request, undefined)) };
      }),
    );
    const refused = answers.filter(({ answer }) => answer === 'UNAVAILABLE');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(12);
    world.clock.advance(10_000);
    const { request } = refused[0]!;
    expect(await world.credentials.request(request, undefined)).toMatchObject({ assignment: 1 });
  });
});
