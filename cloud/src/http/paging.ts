import { ProblemError } from '@ares/protocol';
import type { z } from 'zod';

export { type Page, toPage } from '../database/paging.ts';

/** @throws {ProblemError} INVALID_REQUEST when the text is no cursor of such a list */
export function decodeCursor<S extends z.ZodType>(schema: S, cursor: string): z.output<S> {
  const parsed = schema.safeParse(jsonOf(cursor));
  if (!parsed.success)
    throw new ProblemError(
      'INVALID_REQUEST',
      'The cursor is not one of this list: begin again without a cursor.',
    );
  return parsed.data;
}

function jsonOf(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
