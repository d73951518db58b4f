import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import {
  fromBase64url,
  OFFLINE_TOKEN_TYPE,
  type OfflineTokenProblem,
  REVOCATIONS_TYPE,
  type RevocationsProblem,
  toBase64url,
} from '../../src/offline-tokens/index.ts';
import { ed25519Key, jws, p256Key } from './signing.ts';

/*
 * The vectors of protocol/fixtures/offline-tokens, for other languages. Written out by
 *   node --conditions=@ares/source protocol/test/offline-tokens/write-vectors.ts
 */

const ISSUER = 'urn:ares:installation:3f6c1a9e-5b0d-4c53-8a77-0f2f6f5f1a10';
const DEVICE = '0f9d7c1e-3a52-4b8e-9c64-5d1f2e3a4b5c';
const OTHER_DEVICE = 'a3a1f0c2-7d44-4a0e-8c1b-9e5b7f6d2c31';
/** 2026-11-20T12:00:00Z */
const NOW = 1_795_176_000_000;
const S = NOW / 1_000;

const first = ed25519Key('ed-1', 11);
const second = p256Key('es-1', 12);
const highS = p256Key('es-1', 12, { highS: true });
const foreign = ed25519Key('ed-1', 13);
const unpublished = ed25519Key('ed-9', 14);
const command = ed25519Key('command-1', 15);

const claims = {
  iss: ISSUER,
  aud: DEVICE,
  asg: 3,
  sub: '6f1e9a0c-2b57-4d3a-9f5e-1c7d8b2a4e60',
  jti: '11111111-1111-4111-8111-111111111111',
  iat: S - 600,
  nbf: S - 600,
  exp: S + 3_000,
  scope: 'pump:on pump:off pump:stop',
};
const token = (over: object = {}, header: Record<string, unknown> = {}) =>
  jws(first, OFFLINE_TOKEN_TYPE, { ...claims, ...over }, header);
const good = token();
const [HEAD, BODY, SIGNATURE] = good.split('.') as [string, string, string];
const bytes = (text: string) => fromBase64url(text)!;
const utf8 = (text: string) => new TextEncoder().encode(text);

/** Signed with the public key as if it were a shared secret. */
function confused(): string {
  const head = toBase64url(utf8(JSON.stringify({ alg: 'HS256', typ: OFFLINE_TOKEN_TYPE, kid: 'ed-1' })));
  const mac = hmac(sha256, bytes(first.jwk.x), utf8(`${head}.${BODY}`));
  return `${head}.${BODY}.${toBase64url(mac)}`;
}

function flipped(text: string): string {
  const changed = bytes(text);
  changed[changed.length - 1]! ^= 1;
  return toBase64url(changed);
}

const widened = toBase64url(utf8(JSON.stringify({ ...claims, scope: 'pump:on valve:open' })));
const without = (name: keyof typeof claims) => ({ ...claims, [name]: undefined });
const invalid = (name: string, problem: OfflineTokenProblem, wrong: string) => ({
  name,
  problem,
  token: wrong,
});

const valid = [
  { name: 'Ed25519', token: good, claims },
  { name: 'ES256', token: jws(second, OFFLINE_TOKEN_TYPE, claims), claims },
  {
    name: 'ES256 with the larger s, as some libraries sign',
    token: jws(highS, OFFLINE_TOKEN_TYPE, claims),
    claims,
  },
  ...[
    { name: 'begins within the clock skew', iat: S + 60, nbf: S + 60, exp: S + 3_600 },
    { name: 'lives for 24 hours', iat: S - 86_399, nbf: S - 86_399, exp: S + 1 },
  ].map(({ name, ...over }) => ({ name, token: token(over), claims: { ...claims, ...over } })),
];

const tokens = {
  valid,
  invalid: [
    invalid('nothing', 'MALFORMED', ''),
    invalid('two parts', 'MALFORMED', `${HEAD}.${BODY}`),
    invalid('four parts', 'MALFORMED', `${good}.${SIGNATURE}`),
    invalid('padding', 'MALFORMED', `${good}=`),
    invalid(
      'another spelling of the same signature',
      'MALFORMED',
      `${good.slice(0, -1)}${respell(good.at(-1)!)}`,
    ),
    invalid('a header that is no JSON', 'MALFORMED', jws(first, OFFLINE_TOKEN_TYPE, claims, 'alg')),
    invalid('a header that is a list', 'MALFORMED', jws(first, OFFLINE_TOKEN_TYPE, claims, '[]')),
    invalid('a payload that is no JSON', 'MALFORMED', jws(first, OFFLINE_TOKEN_TYPE, 'pump:on')),
    invalid(
      'a key in the header',
      'MALFORMED',
      jws(foreign, OFFLINE_TOKEN_TYPE, claims, { jwk: foreign.jwk }),
    ),
    invalid('an address of keys in the header', 'MALFORMED', token({}, { jku: 'https://evil.example/jwks' })),
    invalid('a critical extension', 'MALFORMED', token({}, { crit: ['exp'] })),
    invalid('no kid', 'MALFORMED', token({}, { kid: undefined })),
    invalid('longer than 16,384 characters', 'MALFORMED', token({ scope: 'x'.repeat(16_000) })),
    invalid('alg none', 'ALGORITHM', token({}, { alg: 'none' })),
    invalid(
      'alg none without a signature',
      'ALGORITHM',
      `${token({}, { alg: 'none' }).split('.', 2).join('.')}.`,
    ),
    invalid('HS256 with the public key as secret', 'ALGORITHM', confused()),
    invalid('ES256 named, signed by the Ed25519 key', 'ALGORITHM', token({}, { alg: 'ES256' })),
    invalid('an order to the device', 'TYPE', jws(first, 'command+jwt', claims)),
    invalid('an access token', 'TYPE', jws(first, 'at+jwt', claims)),
    invalid('no type', 'TYPE', token({}, { typ: undefined })),
    invalid('a key that is not in the set', 'UNKNOWN_KEY', jws(unpublished, OFFLINE_TOKEN_TYPE, claims)),
    invalid(
      'signed by somebody else under a known kid',
      'SIGNATURE',
      jws(foreign, OFFLINE_TOKEN_TYPE, claims),
    ),
    invalid('one bit of the signature', 'SIGNATURE', `${HEAD}.${BODY}.${flipped(SIGNATURE)}`),
    invalid('a wider scope under the old signature', 'SIGNATURE', `${HEAD}.${widened}.${SIGNATURE}`),
    invalid('a signature of nothing', 'SIGNATURE', `${HEAD}.${BODY}.`),
    invalid('a signature of zeros', 'SIGNATURE', `${HEAD}.${BODY}.${toBase64url(new Uint8Array(64))}`),
    invalid('another cloud', 'ISSUER', token({ iss: 'urn:ares:installation:other' })),
    invalid('another device', 'AUDIENCE', token({ aud: OTHER_DEVICE })),
    invalid('several devices', 'MALFORMED', token({ aud: [DEVICE, OTHER_DEVICE] })),
    invalid('the owner before', 'ASSIGNMENT', token({ asg: 2 })),
    invalid('expired at this very moment', 'EXPIRED', token({ exp: S })),
    invalid('begins after the clock skew', 'NOT_YET_VALID', token({ nbf: S + 61 })),
    invalid('was made in the future', 'NOT_YET_VALID', token({ iat: S + 61 })),
    invalid(
      'lives for longer than 24 hours',
      'LIFETIME',
      token({ iat: S - 86_400, nbf: S - 86_400, exp: S + 1 }),
    ),
    invalid('ends before it was made', 'LIFETIME', token({ exp: S - 700 })),
    ...(['iss', 'aud', 'asg', 'sub', 'jti', 'iat', 'nbf', 'exp', 'scope'] as const).map((name) =>
      invalid(`without ${name}`, 'MALFORMED', jws(first, OFFLINE_TOKEN_TYPE, without(name))),
    ),
    invalid('an unknown claim', 'MALFORMED', token({ admin: true })),
    invalid('a scope of everything', 'MALFORMED', token({ scope: '*' })),
    invalid('an empty scope', 'MALFORMED', token({ scope: '' })),
    invalid('a scope twice', 'MALFORMED', token({ scope: 'pump:on pump:on' })),
    invalid('exp as text', 'MALFORMED', token({ exp: String(S + 60) })),
  ],
};

function respell(digit: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[alphabet.indexOf(digit) | 1]!;
}

const listClaims = {
  iss: ISSUER,
  aud: DEVICE,
  asg: 3,
  version: 5,
  iat: S - 60,
  exp: S + 86_340,
  tokens: [] as string[],
  keys: [] as string[],
};
const list = (over: object = {}, header: Record<string, unknown> = {}) =>
  jws(command, REVOCATIONS_TYPE, { ...listClaims, ...over }, header);
const refused = (name: string, problem: RevocationsProblem, wrong: string) => ({
  name,
  problem,
  list: wrong,
});

const revocations = {
  /** Taken one after another; what is kept after each. */
  sequence: [
    { name: 'the first', list: list(), problem: null, version: 5 },
    {
      name: 'an older version, signed and in time',
      list: list({ version: 4, iat: S - 1 }),
      problem: 'ROLLED_BACK',
      version: 5,
    },
    {
      name: 'the same version made earlier',
      list: list({ iat: S - 61 }),
      problem: 'ROLLED_BACK',
      version: 5,
    },
    { name: 'the same version made later', list: list({ iat: S - 30 }), problem: null, version: 5 },
    { name: 'a higher version', list: list({ version: 6, tokens: [claims.jti] }), problem: null, version: 6 },
    { name: 'the first again', list: list(), problem: 'ROLLED_BACK', version: 6 },
  ],
  invalid: [
    refused('signed by a key for tokens', 'NOT_AUTHENTIC', jws(first, REVOCATIONS_TYPE, listClaims)),
    refused(
      'signed by somebody else under the kid',
      'NOT_AUTHENTIC',
      jws(ed25519Key('command-1', 16), REVOCATIONS_TYPE, listClaims),
    ),
    refused('an order to the device', 'NOT_AUTHENTIC', jws(command, 'command+jwt', listClaims)),
    refused('alg none', 'NOT_AUTHENTIC', list({}, { alg: 'none' })),
    refused('another cloud', 'FOREIGN', list({ iss: 'urn:ares:installation:other' })),
    refused('another device', 'FOREIGN', list({ aud: OTHER_DEVICE })),
    refused('without version', 'MALFORMED', list({ version: undefined })),
    refused('without exp', 'MALFORMED', list({ exp: undefined })),
    refused('made in the future', 'NOT_YET_VALID', list({ iat: S + 61 })),
  ],
};

const HOUR = 3_600_000;
const on = { componentType: 'pump', action: 'on' };
const stop = { componentType: 'pump', action: 'stop' };
const decide = (
  name: string,
  problem: OfflineTokenProblem | null,
  over: { list?: string | null; wanted?: object; token?: string; now?: number | null } = {},
) => ({ name, problem, list: list(), wanted: on, token: good, now: NOW, ...over });
const longToken = token({ iat: S + 72_000, nbf: S + 72_000, exp: S + 100_000 });

const decisions = [
  decide('an action of the scope', null),
  decide('an action that is not of the scope', 'SCOPE', {
    wanted: { componentType: 'pump', action: 'test' },
  }),
  decide('the same action of another component type', 'SCOPE', {
    wanted: { componentType: 'relay', action: 'on' },
  }),
  decide('stop, when stop is not of the scope', 'SCOPE', {
    wanted: stop,
    token: token({ scope: 'pump:on' }),
  }),
  decide('a revoked token', 'REVOKED', { list: list({ tokens: [claims.jti] }) }),
  decide('a revoked token that wants to stop', 'REVOKED', {
    list: list({ tokens: [claims.jti] }),
    wanted: stop,
  }),
  decide('a token of a deactivated key', 'KEY_DEACTIVATED', { list: list({ keys: ['ed-1'] }) }),
  decide('a list of the next owner', 'ASSIGNMENT', { list: list({ asg: 4 }) }),
  decide('a list of a device without owner', 'ASSIGNMENT', { list: list({ asg: null }) }),
  decide('a list of the owner before', 'REVOCATIONS_STALE', { list: list({ asg: 2 }) }),
  decide('no list ever seen', 'REVOCATIONS_STALE', { list: null }),
  decide('no list ever seen, and stop', null, { list: null, wanted: stop }),
  decide('the list expired', 'REVOCATIONS_STALE', { token: longToken, now: NOW + 24 * HOUR }),
  decide('the list expired, and stop', null, { token: longToken, now: NOW + 24 * HOUR, wanted: stop }),
  decide('a list that claims to last for a week', 'REVOCATIONS_STALE', {
    token: longToken,
    now: NOW + 24 * HOUR,
    list: list({ exp: S + 604_800 }),
  }),
  decide('the list just before its end', null, { token: longToken, now: NOW + 24 * HOUR - 60_001 }),
  decide('nothing tells the time', 'CLOCK_UNKNOWN', { now: null }),
  decide('nothing tells the time, and stop', null, { now: null, wanted: stop }),
];

/** Content of the fixtures, by file name. */
export const vectors: Readonly<Record<string, unknown>> = {
  'keys.json': {
    issuer: ISSUER,
    deviceUuid: DEVICE,
    assignment: 3,
    now: NOW,
    clockSkewMs: 60_000,
    jwks: { keys: [first.jwk, second.jwk] },
    commandKeys: { keys: [command.jwk] },
  },
  'tokens.json': tokens,
  'revocations.json': revocations,
  'decisions.json': decisions,
};
