import { describe, expect, it } from 'vitest';
import {
  checkOfflineToken,
  createKeyCache,
  createOfflineTokenValidator,
  type DeviceJwks,
  type OfflineTokenProblem,
  openRevocations,
  parseJwks,
  type RevocationsProblem,
} from '../../src/offline-tokens/index.ts';
import type { TrustFile } from '../../src/trust.ts';
import { fixture } from '../fixtures.ts';
import { vectors } from './vectors.ts';

const keys = fixture<{
  issuer: string;
  deviceUuid: string;
  assignment: number;
  now: number;
  jwks: DeviceJwks;
  commandKeys: TrustFile['commandKeys'];
}>('offline-tokens/keys.json');
const tokens = fixture<{
  valid: { name: string; token: string; claims: object }[];
  invalid: { name: string; token: string; problem: OfflineTokenProblem }[];
}>('offline-tokens/tokens.json');
const revocations = fixture<{
  sequence: { name: string; list: string; problem: RevocationsProblem | null; version: number }[];
  invalid: { name: string; list: string; problem: RevocationsProblem }[];
}>('offline-tokens/revocations.json');
const decisions = fixture<
  {
    name: string;
    list: string | null;
    token: string;
    wanted: { componentType: string; action: string };
    now: number | null;
    problem: OfflineTokenProblem | null;
  }[]
>('offline-tokens/decisions.json');

const { issuer, deviceUuid, assignment, now, commandKeys } = keys;
const keyOf = (kid: string) => parseJwks(keys.jwks)?.find((key) => key.kid === kid);
const check = (token: string) => checkOfflineToken(token, keyOf, { issuer, deviceUuid, assignment, now });
const open = (kept: string | undefined, time: number | null = now) => {
  let saved = kept;
  return openRevocations({
    issuer,
    deviceUuid,
    commandKeys,
    now: () => time ?? undefined,
    store: {
      load: async () => saved,
      async save(list) {
        saved = list;
      },
    },
  });
};

describe('the fixtures', () => {
  it.each(Object.entries(vectors))('%s is what the script writes', (name, content) => {
    expect(fixture(`offline-tokens/${name}`)).toEqual(JSON.parse(JSON.stringify(content)));
  });
});

describe('a token', () => {
  it.each(tokens.valid)('is accepted: $name', ({ token, claims }) => {
    expect(check(token)).toMatchObject({ ok: true, claims });
  });

  it.each(tokens.invalid)('TOK-01 is refused: $name', ({ token, problem }) => {
    expect(check(token)).toEqual({ ok: false, problem });
  });
});

describe('a revocation list', () => {
  it.each(revocations.invalid)('TOK-03 is refused: $name', async ({ list, problem }) => {
    const opened = await open(undefined);
    expect(await opened.accept(list)).toEqual({ ok: false, problem });
    expect(opened.current()).toBeUndefined();
    expect(opened.isFresh(now)).toBe(false);
  });

  it('TOK-03 is never older than the one before', async () => {
    const opened = await open(undefined);
    for (const { name, list, problem, version } of revocations.sequence) {
      expect(await opened.accept(list), name).toEqual(
        problem === null ? { ok: true } : { ok: false, problem },
      );
      expect(opened.current()?.version, name).toBe(version);
    }
  });
});

describe('a decision', () => {
  it.each(decisions)('TOK-02 TOK-03 $name', async ({ list, token, wanted, now: time, problem }) => {
    const validator = createOfflineTokenValidator({
      issuer,
      deviceUuid,
      assignment: () => assignment,
      keys: createKeyCache({ fetchJwks: async () => keys.jwks, now: () => 0 }),
      revocations: await open(list ?? undefined, time),
      now: () => time ?? undefined,
    });
    expect(await validator.check(token, wanted)).toMatchObject(
      problem === null ? { ok: true } : { ok: false, problem },
    );
  });
});
