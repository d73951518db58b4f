import { ProblemError } from '@ares/protocol';
import { isStreamable, type Route, type RouteId, type TextFormat } from '@ares/protocol/http';
import type { Context } from 'koa';
import type { SessionWatch } from '../accounts/session-watch.ts';
import type { Idempotency, RepeatableAnswer } from '../idempotency/service.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import { allowCaching } from './cacheable.ts';
import { certificateOf } from './client-certificate.ts';
import { readIfMatch, toETag } from './conditional.ts';
import { eventStreamBody } from './event-stream.ts';
import type { Answer, Caller, RequestContext } from './handlers.ts';
import type { Policies } from './policies.ts';
import type { RateLimits } from './rate-limits.ts';
import { parsePart, readJsonBody } from './request-input.ts';
import { setTextHeaders, textStreamBody, wantedFormat } from './text-stream.ts';

/** A handler whose route is no longer known to the type system. */
export type Handler = (context: RequestContext) => Promise<Answer<Route>>;

export interface ServeParts {
  readonly policies: Policies;
  readonly limits: RateLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Metrics;
  /** Ends streams with the session that opened them. */
  readonly sessions?: Pick<SessionWatch, 'watch'>;
  /** Absent: an Idempotency-Key is refused. */
  readonly idempotency?: Idempotency;
  /** Requests that are being served. */
  readonly open: Set<AbortController>;
  /** Open streams of each user. */
  readonly streams: Map<number, number>;
}

/** A page needs one, a script a few; connections are for everybody. */
const STREAMS_PER_USER = 20;

/**
 * One request of a known route. The policy comes before everything else, so that who may not ask learns nothing,
 * and a body is read only from those who may send one.
 */
export async function serveRoute(
  ctx: Context,
  route: Route,
  handler: Handler,
  parts: ServeParts,
): Promise<void> {
  countWhenServed(ctx, route, parts.metrics);
  const params = (): unknown =>
    route.params === undefined ? {} : parsePart('params', route.params, { ...ctx['params'] });
  const grant = await parts.policies[route.policy]({
    authorization: ctx.get('authorization'),
    deviceUuid: () => (params() as { id: string }).id,
    userUuid: () => (params() as { userId: string }).userId,
    certificate: certificateOf(ctx.req.socket),
  });
  const request = new AbortController();
  parts.open.add(request);
  whenClosed(ctx, () => {
    parts.open.delete(request);
    request.abort();
  });
  const query = route.query === undefined ? {} : parsePart('query', route.query, { ...ctx.query });
  const success = route.success[200];
  const format = isStreamable(success) ? wantedFormat(ctx, success, query) : 'json';
  const context = {
    params: params(),
    query,
    body: route.body === undefined ? undefined : parsePart('body', route.body, await readJsonBody(ctx)),
    caller: grant.caller,
    access: grant.access,
    device: grant.device,
    source: ctx.ip,
    requestId: ctx.state['requestId'] as string,
    apiHost: ctx.host,
    format,
    ifMatch: route.etag === true ? readIfMatch(ctx.get('if-match')) : undefined,
    signal: request.signal,
  } as RequestContext;
  await parts.limits.admitTo(route.id as RouteId, context);
  if (success === 'event-stream' || format !== 'json')
    countStream(ctx, parts.streams, grant.caller?.userId ?? 0);
  if (success === 'event-stream' || format !== 'json') endWithSession(request, grant.caller, parts);
  const result = await handleOnce(ctx, route, context, handler, parts);
  ctx.status = Number(result.status);
  ctx.set('cache-control', 'no-store');
  if ('stream' in result) {
    answerStream(ctx, result.stream as AsyncIterable<string>, request, grant.expiresAt, parts.clock);
  } else if ('text' in result) {
    await answerText(ctx, result as unknown as TextAnswer, format as TextFormat, request);
  } else if ('body' in result) {
    if ('version' in result) ctx.set('etag', toETag(result.version as number));
    ctx.body = JSON.stringify(result.body);
    ctx.set('content-type', 'application/json; charset=utf-8');
    if (route.cacheSeconds !== undefined) allowCaching(ctx, route.cacheSeconds);
  } else ctx.body = null;
}

/** By the client's `Idempotency-Key`, where one came with a POST of somebody who is signed in. */
async function handleOnce(
  ctx: Context,
  route: Route,
  context: RequestContext,
  handler: Handler,
  { idempotency, limits }: ServeParts,
): Promise<Answer<Route>> {
  const key = ctx.get('idempotency-key');
  if (key === '' || route.method !== 'POST') return handler(context);
  const caller = context.caller as Caller | undefined;
  if (idempotency === undefined || caller === undefined)
    throw new ProblemError('INVALID_REQUEST', 'This request takes no Idempotency-Key: leave it out.');
  await limits.admitKept(caller.userId);
  const { params, query, body } = context;
  const asked = [route.id, params, query, body];
  const { repeated, ...answer } = await idempotency.once(
    { userId: caller.userId, key, asked },
    () => handler(context) as Promise<RepeatableAnswer>,
  );
  if (repeated) ctx.set('idempotent-replayed', 'true');
  return answer as Answer<Route>;
}

/** The request ends with its session; when it ends by itself, nobody watches any more. */
function endWithSession(
  request: AbortController,
  caller: Caller | undefined,
  { sessions }: ServeParts,
): void {
  if (sessions === undefined || caller?.sessionId === undefined) return;
  const { sessionId: id, userId } = caller;
  const unwatch = sessions.watch({ id, userId }, () => request.abort());
  request.signal.addEventListener('abort', unwatch, { once: true });
}

/** Streams are left out: how long they last says nothing. */
function countWhenServed(ctx: Context, route: Route, metrics: Metrics | undefined): void {
  if (metrics === undefined || route.success[200] === 'event-stream') return;
  const began = performance.now();
  whenClosed(ctx, () => {
    const seconds = (performance.now() - began) / 1_000;
    metrics.requestServed({ route: route.id, status: ctx.status, seconds });
  });
}

/** A client may be gone before its policy has answered; the event does not come a second time. */
function whenClosed(ctx: Context, then: () => void): void {
  if (ctx.res.closed) then();
  else ctx.res.once('close', then);
}

/** @throws {ProblemError} TOO_MANY_REQUESTS */
function countStream(ctx: Context, streams: Map<number, number>, userId: number): void {
  const count = streams.get(userId) ?? 0;
  if (count >= STREAMS_PER_USER) {
    const detail = `You have ${count} streams open: close one, or read all devices from /api/events.`;
    throw new ProblemError('TOO_MANY_REQUESTS', detail, { retryAfterSeconds: 5 });
  }
  streams.set(userId, count + 1);
  whenClosed(ctx, () => {
    const left = streams.get(userId)! - 1;
    if (left > 0) streams.set(userId, left);
    else streams.delete(userId);
  });
}

interface TextAnswer {
  readonly text: AsyncIterable<string>;
  readonly fileName: string;
}

/** What is asked page by page ends by itself when a right ends: so much text may take longer than a token lives. */
async function answerText(
  ctx: Context,
  answer: TextAnswer,
  format: TextFormat,
  request: AbortController,
): Promise<void> {
  setTextHeaders(ctx, format, answer.fileName);
  if (ctx.method === 'HEAD') {
    ctx.body = null;
    ctx.status = 200;
  } else ctx.body = await textStreamBody(answer.text, { signal: request.signal });
}

function answerStream(
  ctx: Context,
  frames: AsyncIterable<string>,
  request: AbortController,
  expiresAt: number | undefined,
  clock: Clock,
): void {
  if (expiresAt !== undefined) {
    // A stream does not outlive the access token that opened it.
    const timer = setTimeout(() => request.abort(), Math.max(0, expiresAt - clock.now()));
    whenClosed(ctx, () => clearTimeout(timer));
  }
  // no-transform: whoever compresses holds events back until there are enough of them.
  ctx.set('cache-control', 'no-store, no-transform');
  ctx.set('content-type', 'text/event-stream; charset=utf-8');
  ctx.set('x-accel-buffering', 'no');
  if (ctx.method === 'HEAD') request.abort();
  ctx.body = eventStreamBody(frames, { signal: request.signal });
}
