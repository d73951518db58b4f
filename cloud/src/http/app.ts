import { randomUUID } from 'node:crypto';
import { ProblemError } from '@ares/protocol';
import { contract, type Listener, type Route, type RouteId } from '@ares/protocol/http';
import Router from '@koa/router';
import Koa, { type Context, type Next } from 'koa';
import helmet from 'koa-helmet';
import { clientAddress } from './client-address.ts';
import { errorResponses } from './error-responses.ts';
import type { Handlers } from './handlers.ts';
import { assertPolicies } from './policies.ts';
import type { RateLimits } from './rate-limits.ts';
import { toRouterPath } from './route-path.ts';
import { type Handler, type ServeParts, serveRoute } from './serve-route.ts';

export interface HttpAppParts extends Omit<ServeParts, 'open' | 'streams'> {
  /** Which routes of the contract this app serves. */
  readonly listener: Listener;
  readonly handlers: Handlers;
  readonly limits: RateLimits;
  /** Ends every stream when aborted. */
  readonly closing: AbortSignal;
  /**
   * The names (`host:port`) by which devices reach this listener; a request for any other is refused, so that a
   * signature made for another host is worth nothing here. Absent: any name.
   */
  readonly apiHosts?: ReadonlySet<string>;
  /** Addresses of reverse proxies, whose word on who asks is taken. Default: none. */
  readonly trustedProxies?: ReadonlySet<string>;
  /** Files of the panel, by path. */
  readonly assets?: StaticAssets;
}

/** Whole files in memory, each with the headers that belong to it. */
export interface StaticAssets {
  lookup(
    path: string,
  ): { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> } | undefined;
}

/** The routes of the contract that a listener serves. */
export function routesOf(listener: Listener): readonly Route[] {
  return Object.values<Route>(contract).filter(({ listeners }) => listeners.includes(listener));
}

/**
 * The contract as a Koa app: limits, policy, validation, handler, answer, problem details.
 * @throws {TypeError} when a route has no handler, or no policy of the table
 */
export function createHttpApp(parts: HttpAppParts): Koa {
  const app = new Koa();
  // Koa writes to stderr by itself otherwise; what arrives here is a connection that went away.
  app.on('error', (error: Error) => parts.log.debug({ error: error.message }, 'a connection broke'));
  const open = new Set<AbortController>();
  const streams = new Map<number, number>();
  parts.closing.addEventListener('abort', () => {
    for (const request of open) request.abort();
  });

  const router = new Router({ sensitive: true, strict: true });
  const routes = routesOf(parts.listener);
  assertPolicies(routes);
  for (const route of routes.toSorted(byFixedSegments)) {
    const handler = parts.handlers[route.id as RouteId] as Handler | undefined;
    if (handler === undefined) throw new TypeError(`The route ${route.id} of the contract has no handler.`);
    router.register(toRouterPath(route.path), [route.method], (ctx) =>
      serveRoute(ctx, route, handler, { ...parts, open, streams }),
    );
  }

  app.use(identifyRequest(parts.trustedProxies ?? new Set()));
  app.use(securityHeaders);
  app.use(errorResponses(parts.log));
  app.use(async (ctx, next) => {
    await parts.limits.admit(ctx.ip);
    assertOwnHost(ctx, parts.apiHosts);
    await next();
  });
  if (parts.assets !== undefined) app.use(serveAssets(parts.assets));
  app.use(router.routes());
  app.use(refuseMethod(router));
  return app;
}

/** The router takes the first path that fits: what stands in a path literally comes before what fills a name. */
function byFixedSegments(a: Route, b: Route): number {
  const shape = ({ path }: Route) => path.replaceAll(/[^/]+/g, (name) => (name.startsWith('{') ? '1' : '0'));
  return shape(a) < shape(b) ? -1 : Number(shape(a) > shape(b));
}

function identifyRequest(trustedProxies: ReadonlySet<string>) {
  return async (ctx: Context, next: Next): Promise<void> => {
    const requestId = randomUUID();
    ctx.state['requestId'] = requestId;
    ctx.set('x-request-id', requestId);
    ctx.request.ip = clientAddress(ctx.ip, ctx.get('x-forwarded-for'), trustedProxies);
    await next();
  };
}

const securityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      objectSrc: ["'none'"],
    },
  },
  xFrameOptions: { action: 'deny' },
});

function assertOwnHost(ctx: Context, apiHosts: ReadonlySet<string> | undefined): void {
  if (apiHosts === undefined || apiHosts.has(ctx.host)) return;
  throw new ProblemError(
    'INVALID_REQUEST',
    `This listener is reached as ${[...apiHosts].join(' or ')}, not as ${ctx.host.slice(0, 100) || '(no Host)'}.`,
  );
}

function serveAssets(assets: StaticAssets) {
  return async (ctx: Context, next: Next): Promise<void> => {
    const asset = ctx.method === 'GET' || ctx.method === 'HEAD' ? assets.lookup(ctx.path) : undefined;
    // `/` is the panel for browsers, and JSON for whoever asks for that.
    if (asset === undefined || (ctx.path === '/' && ctx.accepts('html', 'json') === 'json')) return next();
    ctx.set(asset.headers);
    ctx.status = 200;
    if (ctx.fresh) ctx.status = 304;
    else ctx.body = asset.body;
    // Setting a body sets a type of its own.
    ctx.set(asset.headers);
  };
}

/** What no route took: a known path with another method is 405 with `Allow`; the rest becomes 404. */
function refuseMethod(router: Router) {
  return async (ctx: Context, next: Next): Promise<void> => {
    const allowed = router.stack.filter((layer) => layer.match(ctx.path)).flatMap(({ methods }) => methods);
    if (allowed.length === 0) return next();
    ctx.set('allow', [...new Set(allowed)].join(', '));
    throw new ProblemError(
      'METHOD_NOT_ALLOWED',
      `${ctx.path.slice(0, 200)} answers ${[...new Set(allowed)].join(', ')} only.`,
    );
  };
}
