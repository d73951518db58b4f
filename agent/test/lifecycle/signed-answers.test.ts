import { randomUUID } from 'node:crypto';
import { orderTypes } from '@ares/protocol';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifyResetOrder, verifyStanding } from '../../src/lifecycle/signed-answers.ts';
import { createFakeDeviceApi, type FakeDeviceApi } from '../support/device-api.ts';

let cloud: FakeDeviceApi;
let stranger: FakeDeviceApi;
const deviceUuid = randomUUID();

beforeAll(async () => {
  cloud = await createFakeDeviceApi({ apiHost: 'cloud:1' });
  stranger = await createFakeDeviceApi({ apiHost: 'cloud:1' });
});

const context = (assignment: number | undefined = 3) => ({ trust: cloud.trust, deviceUuid, assignment });

describe('refusing a reset order', () => {
  it('obeys one that is signed, for this device and this assignment', async () => {
    const token = await cloud.signReset({ deviceUuid, assignment: 3 });
    expect(await verifyResetOrder(token, context())).toMatchObject({ asg: 3, aud: deviceUuid });
  });

  it('FSP-09 unsigned', async () => {
    const signed = await cloud.signReset({ deviceUuid, assignment: 3 });
    const [, payload] = signed.split('.');
    const none = Buffer.from('{"alg":"none","typ":"reset+jwt"}').toString('base64url');
    await expect(verifyResetOrder(`${none}.${payload}.`, context())).rejects.toMatchObject({
      code: 'NOT_AUTHENTIC',
    });
  });

  it('FSP-09 signed by a key that is not in the trust file', async () => {
    const token = await stranger.signReset({ deviceUuid, assignment: 3 });
    await expect(verifyResetOrder(token, context())).rejects.toMatchObject({ code: 'NOT_AUTHENTIC' });
  });

  it('FSP-09 with a byte changed', async () => {
    const token = await cloud.signReset({ deviceUuid, assignment: 3 });
    const [header, payload, signature] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as Record<string, unknown>;
    const forged = Buffer.from(JSON.stringify({ ...claims, asg: 4 })).toString('base64url');
    const changed = verifyResetOrder(`${header}.${forged}.${signature}`, context(4));
    await expect(changed).rejects.toMatchObject({ code: 'NOT_AUTHENTIC' });
  });

  it('FSP-09 for another device', async () => {
    const token = await cloud.signReset({ deviceUuid: randomUUID(), assignment: 3 });
    await expect(verifyResetOrder(token, context())).rejects.toMatchObject({ code: 'FOREIGN' });
  });

  it('CMD-14 of a former assignment', async () => {
    const token = await cloud.signReset({ deviceUuid, assignment: 2 });
    await expect(verifyResetOrder(token, context())).rejects.toMatchObject({ code: 'FOREIGN' });
  });

  it('CMD-14 inside a fresh standing it may be of a later assignment, never of an earlier one', async () => {
    const order = (assignment: number) => cloud.signReset({ deviceUuid, assignment });
    const inStanding = { ...context(), orLater: true };
    expect(await verifyResetOrder(await order(4), inStanding)).toMatchObject({ asg: 4 });
    await expect(verifyResetOrder(await order(2), inStanding)).rejects.toMatchObject({ code: 'FOREIGN' });
    await expect(verifyResetOrder(await order(4), context())).rejects.toMatchObject({ code: 'FOREIGN' });
  });

  it('FSP-09 another kind of order with the claims of a reset', async () => {
    const jti = randomUUID();
    const claims = {
      aud: deviceUuid,
      asg: 3,
      topic: `system/${deviceUuid}/reset`,
      jti,
      iat: Date.now() / 1_000,
    };
    const token = await cloud.sign(orderTypes.command, claims);
    await expect(verifyResetOrder(token, context())).rejects.toMatchObject({ code: 'NOT_AUTHENTIC' });
  });

  it('FSP-09 for another topic', async () => {
    const token = await cloud.signReset({
      deviceUuid,
      assignment: 3,
      topic: `commands/${deviceUuid}/pump/on`,
    });
    await expect(verifyResetOrder(token, context())).rejects.toMatchObject({ code: 'FOREIGN' });
  });
});

describe('refusing a standing', () => {
  const nonce = 'n'.repeat(40);
  const claims = { aud: deviceUuid, nonce, iat: Date.now() / 1_000, standing: 'BLOCKED' };

  it('believes the signed answer to this question', async () => {
    const token = await cloud.sign(orderTypes.standing, claims);
    expect(await verifyStanding(token, { ...context(), nonce })).toMatchObject({ standing: 'BLOCKED' });
  });

  it.each([
    ['that answers another question', { ...claims, nonce: 'm'.repeat(40) }, 'REPLAYED'],
    ['of another device', { ...claims, aud: randomUUID() }, 'FOREIGN'],
    ['with an unknown word', { ...claims, standing: 'WIPE' }, 'MALFORMED'],
  ])('FSP-09 one %s', async (_name, changed, code) => {
    const token = await cloud.sign(orderTypes.standing, changed);
    await expect(verifyStanding(token, { ...context(), nonce })).rejects.toMatchObject({ code });
  });

  it('FSP-09 one signed by somebody else', async () => {
    const token = await stranger.sign(orderTypes.standing, claims);
    await expect(verifyStanding(token, { ...context(), nonce })).rejects.toMatchObject({
      code: 'NOT_AUTHENTIC',
    });
  });
});
