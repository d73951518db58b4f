import { describe, expect, it } from 'vitest';
import { createKeyCache } from '../../src/offline-tokens/index.ts';
import { ed25519Key } from './signing.ts';

const MINUTE = 60_000;
const [one, two] = [ed25519Key('one', 1).jwk, ed25519Key('two', 2).jwk];

/** A cache whose cloud counts and answers what it is told to. */
function world(options: { stored?: unknown } = {}) {
  let time = 0;
  let answer: () => Promise<unknown> = async () => ({ keys: [one] });
  let fetches = 0;
  let saved: unknown;
  const cache = createKeyCache({
    now: () => time,
    fetchJwks() {
      fetches += 1;
      return answer();
    },
    load: async () => options.stored,
    save: async (jwks) => {
      saved = jwks;
    },
  });
  return {
    find: async (kid: string) => (await cache.find(kid))?.kid,
    fetches: () => fetches,
    saved: () => saved,
    advance(ms: number) {
      time += ms;
    },
    answers(what: unknown) {
      answer = what instanceof Error ? async () => await Promise.reject(what) : async () => what;
    },
    answersWith(next: () => Promise<unknown>) {
      answer = next;
    },
  };
}
const offline = new Error('no network');

describe('the cache of keys', () => {
  it('TOK-04 fetches at most once a minute, however many unknown kids it is asked for', async () => {
    const cloud = world();
    const kids = Array.from({ length: 1_000 }, (_, n) => `random-${n}`);
    await Promise.all(kids.map(cloud.find));
    for (const kid of kids.slice(0, 50)) expect(await cloud.find(kid)).toBeUndefined();
    expect(cloud.fetches()).toBe(1);
    cloud.advance(MINUTE - 1);
    await cloud.find('random');
    expect(cloud.fetches()).toBe(1);
    cloud.advance(1);
    await Promise.all(kids.map(cloud.find));
    expect(cloud.fetches()).toBe(2);
  });

  it('TOK-04 also while the cloud does not answer', async () => {
    const cloud = world();
    cloud.answers(offline);
    for (let n = 0; n < 100; n += 1) await cloud.find(`random-${n}`);
    expect(cloud.fetches()).toBe(1);
  });

  it('TOK-04 finds a new key when a minute is over, and refuses one that was taken out', async () => {
    const cloud = world();
    expect(await cloud.find('one')).toBe('one');
    cloud.answers({ keys: [two] });
    expect(await cloud.find('two')).toBeUndefined();
    cloud.advance(MINUTE);
    expect(await cloud.find('two')).toBe('two');
    expect(await cloud.find('one')).toBeUndefined();
  });

  it('TOK-04 asks for known keys again after ten minutes, so that one taken out does not stay for ever', async () => {
    const cloud = world();
    await cloud.find('one');
    cloud.answers({ keys: [] });
    cloud.advance(10 * MINUTE - 1);
    expect([await cloud.find('one'), cloud.fetches()]).toEqual(['one', 1]);
    cloud.advance(1);
    expect([await cloud.find('one'), cloud.fetches()]).toEqual([undefined, 2]);
  });

  it('answers known keys without asking', async () => {
    const cloud = world();
    for (let n = 0; n < 100; n += 1) expect(await cloud.find('one')).toBe('one');
    expect(cloud.fetches()).toBe(1);
  });

  it.each([
    ['without network', offline],
    ['when the answer is no key set', { keys: 'all' }],
    ['when the answer is nothing', undefined],
    ['when the answer has hundreds of keys', { keys: Array.from({ length: 500 }, () => one) }],
  ])('works on from the last set %s', async (_, answer) => {
    const cloud = world();
    await cloud.find('one');
    cloud.answers(answer);
    cloud.advance(60 * MINUTE);
    expect(await cloud.find('one')).toBe('one');
    expect(cloud.fetches()).toBe(2);
  });

  it('starts offline from what it saved', async () => {
    const before = world();
    await before.find('one');
    const after = world({ stored: JSON.parse(JSON.stringify(before.saved())) as unknown });
    after.answers(offline);
    expect(await after.find('one')).toBe('one');
  });

  it('shares one fetch among those who ask meanwhile', async () => {
    const cloud = world();
    const gate = Promise.withResolvers<unknown>();
    cloud.answersWith(() => gate.promise);
    const asked = [cloud.find('one'), cloud.find('one'), cloud.find('two')];
    await new Promise(setImmediate);
    gate.resolve({ keys: [one] });
    expect(await Promise.all(asked)).toEqual(['one', 'one', undefined]);
    expect(cloud.fetches()).toBe(1);
  });

  it('passes over keys that it does not understand, private ones among them', async () => {
    const cloud = world();
    const rsa = { kty: 'RSA', kid: 'rsa', n: 'AQAB', e: 'AQAB' };
    const shared = { kty: 'oct', kid: 'oct', k: 'c2VjcmV0', alg: 'HS256', use: 'sig' };
    cloud.answers({ keys: [rsa, shared, { ...two, d: two.x }, one] });
    expect([
      await cloud.find('rsa'),
      await cloud.find('oct'),
      await cloud.find('two'),
      await cloud.find('one'),
    ]).toEqual([undefined, undefined, undefined, 'one']);
  });
});
