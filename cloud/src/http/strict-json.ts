import { ProblemError } from '@ares/protocol';

/** Deeper than any body of the contract; far from any stack's end. */
const MAX_DEPTH = 32;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const REST_OF_KEY = /\s*:/y;

/**
 * `JSON.parse` for input of strangers: refuses duplicate keys (two readers could each believe another one),
 * `__proto__`, nesting beyond 32, U+0000 and lone surrogates (PostgreSQL stores neither).
 * @throws {ProblemError} INVALID_REQUEST
 */
export function parseStrictJson(text: string): unknown {
  // Before JSON.parse, so that what is refused costs nothing.
  assertShape(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const where = /at position \d+( \(line \d+ column \d+\))?/.exec((error as Error).message)?.[0];
    throw invalid(`The body is not valid JSON${where === undefined ? '' : `: see ${where.slice(3)}`}.`);
  }
  assertStorable(value);
  return value;
}

function assertShape(text: string): void {
  /** For each open bracket the keys seen so far; `undefined` for an array. */
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '{' || char === '[') {
      if (open.length === MAX_DEPTH) {
        throw invalid(`The body is nested deeper than ${MAX_DEPTH} levels.`);
      }
      open.push(char === '{' ? new Set() : undefined);
    } else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      STRING.lastIndex = at;
      if (!STRING.test(text)) return; // Never closed: JSON.parse says where.
      const literal = text.slice(at, STRING.lastIndex);
      at = STRING.lastIndex - 1;
      REST_OF_KEY.lastIndex = STRING.lastIndex;
      const keys = open.at(-1);
      if (keys !== undefined && REST_OF_KEY.test(text)) noteKey(keys, literal);
    }
  }
}

function noteKey(keys: Set<string>, literal: string): void {
  let key: string;
  try {
    key = JSON.parse(literal) as string;
  } catch {
    return; // JSON.parse of the whole text says where.
  }
  if (key === '__proto__') throw invalid('The key __proto__ is not allowed.');
  if (keys.has(key)) throw invalid(`The key ${JSON.stringify(key.slice(0, 60))} stands twice in one object.`);
  keys.add(key);
}

function assertStorable(value: unknown): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed()) {
      throw invalid('A text holds U+0000 or half of a surrogate pair, which cannot be stored.');
    }
  } else if (Array.isArray(value)) value.forEach(assertStorable);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      assertStorable(key);
      assertStorable(member);
    }
  }
}

function invalid(detail: string): ProblemError {
  return new ProblemError('INVALID_REQUEST', detail);
}
