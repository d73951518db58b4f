import { expect, it } from 'vitest';
import { sentenceOf } from '../../src/components/sentence.ts';

it.each([
  [new Error('the sensor is on fire'), 'the sensor is on fire'],
  ['a\u0000b\r\nc\ud83dd', 'a b c d'],
  [`${'x'.repeat(499)}\u{1f525}`, `${'x'.repeat(499)} `],
  [undefined, 'undefined'],
])('TEL-12 what a driver throws becomes one line that any database takes: %j', (cause, line) => {
  expect(sentenceOf(cause)).toBe(line);
});
