import { ProblemError } from '@ares/protocol';
import Koa from 'koa';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import { errorResponses } from './error-responses.ts';
import { type Health, type HealthChecks, healthOf, isReady } from './health.ts';

/**
 * What every process shows to its operator, and to nobody else: `/healthz`, `/readyz`, `/metrics`. It has a listener
 * of its own, so that no mistake of a proxy makes it public, and processes without an API have one too.
 */
export function createInternalApp(parts: {
  readonly health: HealthChecks;
  readonly metrics: Metrics;
  /** Aborted when the process begins to end. */
  readonly closing: AbortSignal;
  readonly log: Logger;
}): Koa {
  const app = new Koa();
  app.on('error', (error: Error) => parts.log.debug({ error: error.message }, 'a connection broke'));
  app.use(errorResponses(parts.log));
  app.use(async (ctx) => {
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD')
      throw new ProblemError('METHOD_NOT_ALLOWED', 'This listener answers GET only.');
    ctx.set('cache-control', 'no-store');
    switch (ctx.path) {
      case '/healthz': {
        const health = await healthOf(parts.health);
        return answer(ctx, health, health.status === 'ok');
      }
      case '/readyz': {
        const health = await healthOf(parts.health);
        if (parts.closing.aborted) return answer(ctx, { ...health, status: 'draining' }, false);
        return answer(ctx, health, isReady(health));
      }
      case '/metrics': {
        const { contentType, body } = await parts.metrics.exposition();
        ctx.body = body;
        ctx.set('content-type', contentType);
        return;
      }
      default:
        throw new ProblemError('NOT_FOUND', 'There are /healthz, /readyz and /metrics.');
    }
  });
  return app;
}

function answer(
  ctx: Koa.Context,
  health: Omit<Health, 'status'> & { readonly status: string },
  isGood: boolean,
): void {
  ctx.status = isGood ? 200 : 503;
  ctx.body = JSON.stringify(health);
  ctx.set('content-type', 'application/json; charset=utf-8');
}
