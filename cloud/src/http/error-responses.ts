import { ProblemError } from '@ares/protocol';
import type { Context, Next } from 'koa';
import { isDatabaseAway } from '../database/database-away.ts';
import { CertificateAuthorityError } from '../ports/certificate-authority.ts';
import type { Logger } from '../ports/logger.ts';
import { SecretStoreError } from '../ports/secret-store.ts';

/**
 * The one place where an error becomes an answer. A {@link ProblemError} may be seen by the caller; of anything
 * else only the log learns more than its kind.
 */
function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof CertificateAuthorityError) return fromAuthority(error);
  if (error instanceof SecretStoreError && error.code === 'UNAVAILABLE') return unavailable(error);
  const { status } = (error ?? {}) as { status?: number };
  if (status === 413) {
    return new ProblemError('BODY_TOO_LARGE', 'The body is larger than 64 KiB.', { cause: error });
  }
  // What else the body parser refuses: a length that does not fit, an unknown character set, a request cut off.
  if (status === 415) {
    return new ProblemError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as UTF-8 JSON.', { cause: error });
  }
  if (status === 400) {
    return new ProblemError('INVALID_REQUEST', 'The body could not be read.', { cause: error });
  }
  if (isDatabaseAway(error)) return unavailable(error);
  return new ProblemError(
    'INTERNAL',
    'Something went wrong on our side; try again, or tell us the requestId.',
    {
      cause: error,
    },
  );
}

function fromAuthority(error: CertificateAuthorityError): ProblemError {
  switch (error.code) {
    case 'CSR_MALFORMED':
    case 'CSR_SIGNATURE_INVALID':
    case 'KEY_REFUSED':
      return new ProblemError('BAD_CSR', error.message, { cause: error });
    case 'UNAVAILABLE':
      return unavailable(error);
    case 'INVALID_NAME':
    case 'INVALID_SERIAL':
    case 'INVALID_VALIDITY':
    case 'AUTHORITY_DAMAGED':
      return new ProblemError('INTERNAL', 'The certificate could not be made.', { cause: error });
  }
}

function unavailable(cause: unknown): ProblemError {
  return new ProblemError('UNAVAILABLE', 'A part of the cloud does not answer; try again in a moment.', {
    cause,
    retryAfterSeconds: 2,
  });
}

/** Answers every error of the middleware below as `application/problem+json`. */
export function errorResponses(log: Logger) {
  return async (ctx: Context, next: Next): Promise<void> => {
    try {
      await next();
      if (ctx.status === 404 && (ctx.body === null || ctx.body === undefined)) {
        throw new ProblemError('NOT_FOUND', `There is nothing at ${ctx.method} ${ctx.path.slice(0, 200)}.`);
      }
    } catch (error) {
      const problem = toProblem(error);
      const requestId = ctx.state['requestId'] as string;
      logProblem(log, ctx, problem, requestId);
      if (ctx.headerSent) {
        // An answer that has begun cannot turn into another one; a cut connection is the only honest sign.
        ctx.res.destroy();
        return;
      }
      ctx.status = problem.status;
      ctx.body = JSON.stringify(problem.toDetails(requestId));
      ctx.set('content-type', 'application/problem+json; charset=utf-8');
      if (problem.retryAfterSeconds !== undefined) {
        ctx.set('retry-after', String(Math.ceil(problem.retryAfterSeconds)));
      }
      if (problem.code === 'AUTHENTICATION_REQUIRED') ctx.set('www-authenticate', 'Bearer realm="ares"');
    }
  };
}

function logProblem(log: Logger, ctx: Context, problem: ProblemError, requestId: string): void {
  const fields = { requestId, method: ctx.method, path: ctx.path, code: problem.code, source: ctx.ip };
  if (problem.status < 500) log.debug(fields, 'refused a request');
  else {
    const cause = problem.cause instanceof Error ? problem.cause : problem;
    log.error(
      { ...fields, error: cause.message, errorCode: (cause as { code?: unknown }).code, stack: cause.stack },
      'a request failed',
    );
  }
}
