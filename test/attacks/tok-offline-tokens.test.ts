import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { orderTypes } from '@ares/protocol';
import { createJwksFetch, createKeyCache, type JwksFetch } from '@ares/protocol/offline-tokens';
import { decodeJwt } from 'jose';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createOrderVerifier } from '../../agent/src/commands/verify-order.ts';
import { makeTestAuthority } from '../support/certificates.ts';
import {
  issuerOf,
  type OfflineDevice,
  type OfflineOwned,
  type OfflineWorld,
  offlineWorld,
} from '../support/offline-world.ts';

const HOUR = 3_600_000;
let world: OfflineWorld;
let ada: OfflineOwned;
let token: string;
let jti: string;
let device: OfflineDevice;

beforeAll(async () => {
  world = await offlineWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  ada = await world.owned();
  ({ token, jti } = await ada.issue());
  device = await world.device(ada.deviceUuid, issuerOf(token));
  expect(await device.accept(await ada.revocations())).toEqual({ ok: true });
  expect([await device.check(token), await ada.verify(token)]).toEqual([null, null]);
});

const seconds = () => Math.floor(Date.now() / 1_000);
const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('TOK-01 what is not the token that was issued', () => {
  /** Device and cloud say the same of it. */
  const bothSay = async (forged: string, problem: string) =>
    expect([await device.check(forged), await ada.verify(forged)]).toEqual([problem, problem]);

  it('TOK-01 is refused when any part of it was changed', async () => {
    const [head, body, signature] = token.split('.') as [string, string, string];
    const wider = b64({ ...decodeJwt(token), scope: 'pump:on pump:off pump:stop' });
    const longer = b64({ ...decodeJwt(token), exp: seconds() + 80_000 });
    for (const changed of [wider, longer]) await bothSay(`${head}.${changed}.${signature}`, 'SIGNATURE');
    const bits = Buffer.from(signature, 'base64url');
    for (let at = 0; at < 64; at += 9) {
      const flipped = Buffer.from(bits);
      flipped[at]! ^= 1;
      await bothSay(`${head}.${body}.${flipped.toString('base64url')}`, 'SIGNATURE');
    }
  });

  it('TOK-01 is refused unsigned, or signed with the public key as a shared secret', async () => {
    const body = token.split('.')[1]!;
    const { keys } = await ada.client.deviceJwks({ params: ada.params });
    for (const alg of ['none', 'None', 'HS256', 'RS256', 'ES256K', 'Ed25519']) {
      const signed = `${b64({ alg, typ: 'offline+jwt', kid: ada.kid })}.${body}`;
      const mac = createHmac('sha256', Buffer.from(keys[0]!.x, 'base64url')).update(signed);
      await bothSay(`${signed}.${mac.digest('base64url')}`, 'ALGORITHM');
      await bothSay(`${signed}.`, 'ALGORITHM');
    }
  });

  it.each([
    ['another type', {}, { typ: 'at+jwt' }, 'TYPE'],
    ['no type', {}, { typ: undefined }, 'TYPE'],
    ['a key of its own', {}, { jwk: { kty: 'OKP' } }, 'MALFORMED'],
    ['another device', { aud: '00000000-0000-4000-8000-000000000000' }, {}, 'AUDIENCE'],
    ['another cloud', { iss: 'urn:ares:installation:evil' }, {}, 'ISSUER'],
    ['another assignment', { asg: 2 }, {}, 'ASSIGNMENT'],
    ['an end that has passed', { iat: 1_000, nbf: 1_000, exp: 2_000 }, {}, 'EXPIRED'],
    ['a beginning in the future', { nbf: seconds() + 3_000 }, {}, 'NOT_YET_VALID'],
    ['a life of a year', { exp: seconds() + 31_536_000 }, {}, 'LIFETIME'],
    ['no end', { exp: undefined }, {}, 'MALFORMED'],
    ['every action', { scope: '*' }, {}, 'MALFORMED'],
  ] as const)(
    'TOK-01 is refused with %s, even signed by the true key',
    async (_, claims, header, problem) => {
      await bothSay(await ada.forge(token, claims, header), problem);
    },
  );

  it('TOK-01 is no order to a device, and an order is no token: their keys have nothing in common', async () => {
    const { keys } = await ada.client.deviceJwks({ params: ada.params });
    const trusted = world.cloud.trustFile.commandKeys.keys.map(({ x }) => x);
    expect(keys.filter(({ x }) => trusted.includes(x))).toEqual([]);
    const verify = createOrderVerifier(world.cloud.trustFile.commandKeys);
    const order = await ada.forge(token, {}, { typ: orderTypes.command });
    const binding = { deviceUuid: ada.deviceUuid, assignment: 1, topic: 'any' };
    const parse = () => ({ ok: false, issues: [] }) as const;
    expect(await verify(Buffer.from(order), { ...binding, typ: orderTypes.command, parse })).toMatchObject({
      ok: false,
      problem: 'SIGNATURE',
    });
    await bothSay(await ada.revocations(), 'TYPE');
  });

  it('TOK-01 of another device is refused here, by its kid', async () => {
    const { token: foreign } = await (await world.owned('ES256')).issue();
    expect(await device.check(foreign)).toBe('UNKNOWN_KEY');
  });
});

describe('TOK-02 a token that was revoked while the device is offline', () => {
  it('TOK-02 is good for its own actions and until its own end only, and ends as soon as the list arrives', async () => {
    device.goOffline();
    await ada.client.revokeOfflineToken({ body: { token } });
    expect(await ada.verify(token)).toBe('REVOKED');
    expect([await device.check(token, 'on'), await device.check(token, 'off')]).toEqual([null, 'SCOPE']);
    device.advance(HOUR);
    expect(await device.check(token)).toBe('EXPIRED');
    device.advance(-HOUR);
    await device.accept(await ada.revocations());
    expect([await device.check(token), await device.check(token, 'stop')]).toEqual(['REVOKED', 'REVOKED']);
    await device.restart();
    expect(await device.check(token)).toBe('REVOKED');
  });

  it('TOK-02 cannot be issued for longer than a day, nor by anybody but the owner', async () => {
    await expect(ada.issue(['pump:on'], 86_401)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(ada.issue(['pump:explode'])).rejects.toMatchObject({ code: 'UNKNOWN_ACTION' });
    const { client: eve } = await world.person();
    const { params } = ada;
    const body = { scope: ['pump:on'], ttlSeconds: 60 };
    await expect(eve.issueOfflineToken({ params, body })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const which of [{ token }, { jti }])
      await expect(eve.revokeOfflineToken({ body: which })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(eve.revokeOfflineTokens({ params, body: {} })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await ada.verify(token)).toBeNull();
  });

  it('TOK-02 ends with the ownership', async () => {
    await ada.client.unlink({ params: ada.params });
    const { client } = await world.person();
    expect((await client.verifyOfflineToken({ body: { token } })).reason).toBe('ASSIGNMENT');
    expect(await device.check(token)).toBeNull();
    await device.accept(await ada.revocations());
    expect(await device.check(token)).toBe('ASSIGNMENT');
  });
});

describe('TOK-03 a revocation list that is played back or held back', () => {
  it('TOK-03 is never replaced by an older one, not after a restart either', async () => {
    const old = await ada.revocations();
    await ada.client.revokeOfflineTokens({ params: ada.params, body: {} });
    expect(await device.accept(await ada.revocations())).toEqual({ ok: true });
    for (const again of [() => Promise.resolve(), device.restart]) {
      await again();
      expect(await device.accept(old)).toEqual({ ok: false, problem: 'ROLLED_BACK' });
      expect(await device.check(token)).toBe('REVOKED');
    }
  });

  it('TOK-03 that stays the same for a day leaves only what stops', async () => {
    const { token: daily } = await ada.issue(['pump:on', 'pump:stop'], 86_400);
    const late = await world.device(ada.deviceUuid, issuerOf(token));
    expect([await late.check(daily), await late.check(daily, 'stop')]).toEqual(['REVOCATIONS_STALE', null]);
    const frozen = await ada.revocations();
    await late.accept(frozen);
    expect(await late.check(daily)).toBeNull();
    // A token that is younger than the list: the cloud's own clock cannot be turned here, so its claims are.
    const ahead = 24 * HOUR + 1_000;
    const iat = seconds() + ahead / 1_000;
    const younger = await ada.forge(daily, { iat, nbf: iat, exp: iat + 3_600 });
    late.advance(ahead);
    expect(await late.accept(frozen)).toEqual({ ok: true });
    expect([await late.check(younger), await late.check(younger, 'stop')]).toEqual([
      'REVOCATIONS_STALE',
      null,
    ]);
  });

  it('TOK-03 is taken from nobody but the cloud, and for no other device', async () => {
    const other = await world.owned();
    expect(await device.accept(await other.revocations())).toEqual({ ok: false, problem: 'FOREIGN' });
    expect(await device.accept(token)).toEqual({ ok: false, problem: 'NOT_AUTHENTIC' });
    const forged = await ada.forge(token, {}, { typ: 'offline-revocations+jwt' });
    expect(await device.accept(forged)).toEqual({ ok: false, problem: 'NOT_AUTHENTIC' });
  });

  it('TOK-03 is given to the device by its own listener, to nobody without its certificate', async () => {
    const url = `${world.cloud.deviceApiUrl}/api/devices/${ada.deviceUuid}/offline-tokens/revocations`;
    const ask = async (dispatcher: Agent) => {
      const answer = await fetch(url, { dispatcher });
      await dispatcher.close();
      return (await answer.json()) as { code?: string; revocations?: string };
    };
    const nobody = new Agent({ connect: { ca: world.cloud.trustFile.caCertificates.join('\n') } });
    expect((await ask(nobody)).code).toBe('CERTIFICATE_REQUIRED');
    const other = await world.owned();
    expect((await ask(await world.certificateOf(other.deviceUuid))).code).toBe('NOT_FOUND');
    await ada.client.revokeOfflineToken({ body: { jti } });
    const { revocations } = await ask(await world.certificateOf(ada.deviceUuid));
    expect(await device.accept(revocations!)).toEqual({ ok: true });
    expect(await device.check(token)).toBe('REVOKED');
  });
});

describe('TOK-04 keys that come and go', () => {
  const jwks = () => fetch(`${world.cloud.publicUrl}/api/devices/${ada.deviceUuid}/jwks`);

  it('TOK-04 tokens of a rotated key go on, those of a deactivated one end at once', async () => {
    await ada.client.rotateKey({ params: ada.params, body: { alg: 'ES256' } });
    const { token: next, kid } = await ada.issue();
    expect(await device.check(next)).toBe('UNKNOWN_KEY');
    device.advance(60_000);
    expect([await device.check(next), await device.check(token)]).toEqual([null, null]);
    await ada.client.deactivateKey({ params: { ...ada.params, kid: ada.kid } });
    expect([await ada.verify(token), await ada.verify(next)]).toEqual(['KEY_DEACTIVATED', null]);
    const { keys } = (await (await jwks()).json()) as { keys: { kid: string }[] };
    expect(keys.map((key) => key.kid)).toEqual([kid]);
    await device.accept(await ada.revocations());
    expect([await device.check(token), await device.check(next)]).toEqual(['KEY_DEACTIVATED', null]);
  });

  it('TOK-04 a thousand tokens with random kids cause one request a minute', async () => {
    const before = device.fetches();
    device.advance(60_000);
    const [, body, signature] = token.split('.');
    const random = Array.from({ length: 1_000 }, (_, n) => {
      const head = b64({ alg: 'EdDSA', typ: 'offline+jwt', kid: `random-${n}` });
      return device.check(`${head}.${body}.${signature}`);
    });
    expect(new Set(await Promise.all(random))).toEqual(new Set(['UNKNOWN_KEY']));
    expect(device.fetches()).toBe(before + 1);
    expect(await device.check(token)).toBeNull();
  });

  it('TOK-04 the key set may be kept for a minute, is asked for by its ETag, and shows no private member', async () => {
    const answer = await jwks();
    expect(answer.headers.get('cache-control')).toBe('public, max-age=60');
    expect(await answer.text()).not.toMatch(/"(d|p|q|k)":/);
    const etag = answer.headers.get('etag')!;
    const again = () => fetch(answer.url, { headers: { 'if-none-match': etag } });
    expect((await again()).status).toBe(304);
    await ada.client.rotateKey({ params: ada.params, body: {} });
    expect((await again()).status).toBe(200);
  });
});

describe('TOK-06 a place of keys that is not to be trusted', () => {
  let server: Server;
  let dispatcher: Agent;
  let host: string;
  let sent = 0;

  beforeAll(async () => {
    const authority = await makeTestAuthority();
    const { keyPem, certificatePem } = await authority.issue({ commonName: 'localhost', usage: 'server' });
    server = createServer({ key: keyPem, cert: certificatePem }, (request, response) => {
      if (request.url === '/moved') {
        response.writeHead(302, { location: '/good' }).end();
      } else if (request.url === '/good') {
        response.end('{"keys":[]}');
      } else {
        const piece = Buffer.alloc(65_536, ' ');
        const more = () => {
          while (sent < 10_485_760) {
            sent += piece.length;
            if (!response.write(piece)) return void response.once('drain', more);
          }
          response.end();
        };
        more();
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    host = `localhost:${(server.address() as AddressInfo).port}`;
    dispatcher = new Agent({
      connect: { ca: authority.certificatePem, checkServerIdentity: () => undefined },
    });
  });
  afterAll(async () => {
    await dispatcher.destroy();
    server.closeAllConnections();
    server.close();
  });

  const get: JwksFetch = (url, init) => fetch(url, { ...init, dispatcher }) as never;
  const from = (path: string) => createJwksFetch({ fetch: get, url: `https://${host}${path}`, host });

  it('TOK-06 an answer of 10 MB is given up early', async () => {
    expect(await from('/good')()).toEqual({ keys: [] });
    await expect(from('/endless')()).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(sent).toBeLessThan(10_485_760);
  });

  it('TOK-06 a redirect is not followed, not even to the same host', async () => {
    await expect(from('/moved')()).rejects.toMatchObject({ code: 'REDIRECTED' });
  });

  it('TOK-06 without TLS, or on another host, nothing is asked', async () => {
    let asked = 0;
    const plain = createHttpServer((_, response) => {
      asked += 1;
      response.end('{"keys":[]}');
    }).listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const { port } = plain.address() as AddressInfo;
    const at = (url: string) => () => createJwksFetch({ fetch: get, url, host });
    expect(at(`http://localhost:${port}/good`)).toThrow(expect.objectContaining({ code: 'NOT_HTTPS' }));
    expect(at(`https://127.0.0.1:${port}/good`)).toThrow(expect.objectContaining({ code: 'OTHER_HOST' }));
    expect(asked).toBe(0);
    plain.close();
  });

  it('TOK-06 a certificate of somebody else ends it, and what was known before goes on counting', async () => {
    const { keys } = await ada.client.deviceJwks({ params: ada.params });
    const fetchJwks = createJwksFetch({
      fetch: (url, init) => fetch(url, init) as never,
      url: `https://${host}/good`,
      host,
    });
    await expect(fetchJwks()).rejects.toThrow();
    const cache = createKeyCache({ fetchJwks, now: Date.now, load: async () => ({ keys }) });
    expect((await cache.find(ada.kid))?.kid).toBe(ada.kid);
  });
});
