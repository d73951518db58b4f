import { describe, expect, it } from 'vitest';
import { assertMatch, readIfMatch, toETag } from '../../src/http/conditional.ts';

const code = (run: () => unknown) => {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('a change that names the version it was made on', () => {
  it.each(['"3"', ' "3" ', '"1", "3"', '*', ''])('goes on when %j fits', (header) => {
    expect(code(() => assertMatch(readIfMatch(header), 3))).toBeUndefined();
  });

  it.each(['"2"', '"2", "4"', 'W/"3"', '"33"'])('is refused when %j does not', (header) => {
    expect(code(() => assertMatch(readIfMatch(header), 3))).toBe('PRECONDITION_FAILED');
  });

  it.each(['3', '"3', '"3" "4"', "'3'", '"a\u0000"'])('is not understood as %j', (header) => {
    expect(code(() => readIfMatch(header))).toBe('INVALID_REQUEST');
  });

  it('names the version as the answer did', () => {
    expect(code(() => assertMatch(readIfMatch(toETag(7)), 7))).toBeUndefined();
  });
});
