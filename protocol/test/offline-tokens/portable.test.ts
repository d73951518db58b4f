import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { fixture } from '../fixtures.ts';

const DECIDE = `
  (async () => {
    const revocations = await offline.openRevocations({
      ...keys,
      now: () => keys.now,
      store: { load: async () => decision.list, save: async () => {} },
    });
    const fetchJwks = offline.createJwksFetch({
      fetch: async () => ({ status: 200, headers: { get: () => null }, text: async () => JSON.stringify(keys.jwks) }),
      url: 'https://cloud.example/jwks',
      host: 'cloud.example',
    });
    const validator = offline.createOfflineTokenValidator({
      ...keys,
      assignment: () => keys.assignment,
      keys: offline.createKeyCache({ fetchJwks, now: () => keys.now }),
      revocations,
      now: () => keys.now,
    });
    const results = [];
    for (const token of [decision.token, es256]) results.push((await validator.check(token, decision.wanted)).ok);
    return results.join();
  })()
`;

it('a token is decided in a JavaScript engine that offers nothing of Node and nothing of the web', async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../../src/offline-tokens/index.ts', import.meta.url))],
    bundle: true,
    write: false,
    platform: 'neutral',
    mainFields: ['module', 'main'],
    format: 'iife',
    globalName: 'offline',
  });
  const [decision] = fixture<object[]>('offline-tokens/decisions.json');
  const es256 = fixture<{ valid: { token: string }[] }>('offline-tokens/tokens.json').valid[1]?.token;
  const engine = createContext({ decision, es256, keys: fixture('offline-tokens/keys.json') });
  expect(runInContext('[typeof process, typeof Buffer, typeof URL, typeof crypto]', engine)).toEqual(
    Array(4).fill('undefined'),
  );
  runInContext(outputFiles[0]?.text ?? '', engine);
  expect(await runInContext(DECIDE, engine)).toBe('true,true');
});
