import { createHash } from 'node:crypto';
import type { Context } from 'koa';

/**
 * Lets anybody keep the answer for a while, and answers 304 to who has it already. Call it with the body set.
 * `ctx.fresh` is not asked: it minds the `no-cache` that `fetch` adds by itself to whoever sends `If-None-Match`.
 */
export function allowCaching(ctx: Context, seconds: number): void {
  const etag = `"${createHash('sha256')
    .update(ctx.body as string)
    .digest('base64url')}"`;
  ctx.set('cache-control', `public, max-age=${seconds}`);
  ctx.set('etag', etag);
  const known = ctx.get('if-none-match').split(',');
  if (known.some((tag) => tag.trim().replace(/^W\//, '') === etag)) ctx.status = 304;
}
