import { createHash } from 'node:crypto';
import type { Context } from 'koa';

/** Lets anybody keep the answer for a while, and answers 304 to who has it already. Call it with the body set. */
export function allowCaching(ctx: Context, seconds: number): void {
  ctx.set('cache-control', `public, max-age=${seconds}`);
  ctx.set(
    'etag',
    `"${createHash('sha256')
      .update(ctx.body as string)
      .digest('base64url')}"`,
  );
  if (ctx.fresh) ctx.status = 304;
}
