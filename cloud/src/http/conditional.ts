import { ProblemError } from '@ares/protocol';

/** Versions on which a change was made, from `If-Match`; `undefined` where the client does not mind. */
export type IfMatch = ReadonlySet<string> | undefined;

const TAG = /^(?<weak>W\/)?"(?<value>[\x21\x23-\x7e\x80-\xff]*)"$/;

/** An entity's version as its `ETag`. */
export const toETag = (version: number): string => `"${version}"`;

/** @throws {ProblemError} INVALID_REQUEST when it is no list of entity tags (RFC 9110, 13.1.1) */
export function readIfMatch(header: string): IfMatch {
  const text = header.trim();
  if (text === '' || text === '*') return undefined;
  const tags = text.split(',').map((part) => TAG.exec(part.trim())?.groups);
  if (tags.includes(undefined)) {
    throw new ProblemError('INVALID_REQUEST', 'If-Match takes the ETag of an earlier answer, in its quotes.');
  }
  // A weak tag never matches where the comparison is strong.
  return new Set(tags.flatMap((tag) => (tag?.['weak'] === undefined ? [tag?.['value'] ?? ''] : [])));
}

/**
 * For the service, inside the transaction that changes the entity and on its locked row.
 * @throws {ProblemError} PRECONDITION_FAILED when the change was made on another version
 */
export function assertMatch(ifMatch: IfMatch, version: number): void {
  if (ifMatch === undefined || ifMatch.has(String(version))) return;
  throw new ProblemError(
    'PRECONDITION_FAILED',
    `It was changed meanwhile and is at version ${version}: read it again, then decide.`,
  );
}
