import { ProblemError, type ProblemIssue } from '@ares/protocol';
import { bodyParser } from '@koa/bodyparser';
import type { Context } from 'koa';
import type { z } from 'zod';
import { parseStrictJson } from './strict-json.ts';

/** The largest body of the contract is a credentials request of about 5 KB. */
const BODY_LIMIT = '64kb';

// As text: the parsing itself is stricter than what a body parser offers.
const readText = bodyParser({
  enableTypes: ['text'],
  extendTypes: { text: ['application/json'] },
  textLimit: BODY_LIMIT,
  // Whoever deletes his account shows his password once more.
  parsedMethods: ['POST', 'PUT', 'DELETE'],
});

/**
 * The JSON body of a request.
 * @throws {ProblemError} UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST; what the body parser throws is mapped in error-responses.ts
 */
export async function readJsonBody(ctx: Context): Promise<unknown> {
  if (!ctx.request.length && ctx.get('transfer-encoding') === '') {
    throw new ProblemError('INVALID_REQUEST', 'The request has no body: send a JSON object.');
  }
  if (!ctx.is('application/json')) {
    const sent = ctx.get('content-type');
    throw new ProblemError(
      'UNSUPPORTED_MEDIA_TYPE',
      `Send the body as application/json, not ${sent === '' ? 'without a content type' : `as ${sent.slice(0, 80)}`}.`,
    );
  }
  if (!['', 'identity'].includes(ctx.get('content-encoding'))) {
    throw new ProblemError('UNSUPPORTED_MEDIA_TYPE', 'Send the body without content-encoding.');
  }
  await readText(ctx, async () => undefined);
  return parseStrictJson(ctx.request.rawBody);
}

/**
 * Parses one part of the request by the contract.
 * @throws {ProblemError} INVALID_REQUEST with one issue for each thing that is wrong (ten at most)
 */
export function parsePart<T>(part: 'body' | 'query' | 'params', schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issues: ProblemIssue[] = result.error.issues.slice(0, 10).map((issue) => ({
    path: issue.path.map(String).join('.'),
    message: issue.message.slice(0, 300),
  }));
  const summary = issues
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
  const place = { body: 'The body', query: 'The query', params: 'The path' }[part];
  throw new ProblemError('INVALID_REQUEST', `${place} is not valid. ${summary}`, { issues });
}
