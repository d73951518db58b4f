import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  OFFLINE_TOKEN_TYPE,
  offlineTokenProblems,
  REVOCATIONS_TYPE,
} from '../../src/offline-tokens/index.ts';
import { vectors } from './vectors.ts';

const page = readFileSync(new URL('../../OFFLINE-TOKENS.md', import.meta.url), 'utf8');

describe('the page for other languages', () => {
  it('names both types and every reason', () => {
    for (const word of [OFFLINE_TOKEN_TYPE, REVOCATIONS_TYPE, ...offlineTokenProblems])
      expect(page).toContain(word);
  });

  it('comes with a vector for every reason', () => {
    const text = JSON.stringify(vectors);
    expect(offlineTokenProblems.filter((problem) => !text.includes(`"problem":"${problem}"`))).toEqual([]);
  });
});
