import { ProblemError } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { parseStrictJson } from '../../src/http/strict-json.ts';

describe('JSON that is fine', () => {
  it.each([
    '{}',
    '[]',
    ' {"a":{"a":[{"a":1},{"a":2}]},"b":"a\\"b\\\\"}',
    '"text with { and [ and \\"a\\": inside"',
    '{"a\\u0062":1,"a":2,"\\\\u0000":3}',
    '{"😀":"ü"}',
    'null',
    '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]',
  ])('%s', (text) => expect(parseStrictJson(text)).toEqual(JSON.parse(text)));
});

describe('CLM-09 refusing JSON', () => {
  const refused: [string, string, RegExp][] = [
    ['a duplicate key', '{"a":1,"b":2,"a":3}', /"a" stands twice/],
    ['a duplicate key in another spelling', '{"a":1,"\\u0061":3}', /"a" stands twice/],
    ['a duplicate key after a nested object', '{"a":{"b":1},"a":{}}', /stands twice/],
    ['__proto__', '{"__proto__":{"admin":true}}', /__proto__/],
    ['__proto__ in another spelling', '{"a":[{"\\u005f_proto__":1}]}', /__proto__/],
    ['10,000 nested arrays', '['.repeat(10_000) + ']'.repeat(10_000), /nested deeper/],
    ['10,000 open objects', '{"a":'.repeat(10_000), /nested deeper/],
    ['U+0000', '{"a":"x\\u0000"}', /U\+0000/],
    ['U+0000 in a key', '{"x\\u0000":1}', /U\+0000/],
    ['a lone surrogate', '["\\ud800"]', /surrogate/],
    ['nothing', '', /not valid JSON/],
    ['a text that never ends', '{"a', /not valid JSON/],
    ['a trailing comma', '{"a":1,}', /not valid JSON: see position 7/],
    ['two values', '{} {}', /not valid JSON/],
    ['NaN', '{"a":NaN}', /not valid JSON/],
    ['an escape that does not exist', '{"\\x":1}', /not valid JSON/],
    ['closing brackets only', ']]]]', /not valid JSON/],
  ];
  it.each(refused)('%s', (_, text, detail) => {
    expect(() => parseStrictJson(text)).toThrow(ProblemError);
    expect(() => parseStrictJson(text)).toThrow(detail);
  });

  it('never repeats what was sent: it may be a password', () => {
    expect(() => parseStrictJson('{"password":"hunter2-canary')).toThrow(/^(?!.*canary)/);
  });
});
