import type { z } from 'zod';
import { type ProblemDetails, ProblemError } from '../problems.ts';
import { type Contract, contract, type RouteId } from './contract.ts';
import { type AnswerOf, type BodyInputOf, isStreamable, type QueryInputOf, type Route } from './route.ts';
import { problemDetails } from './schemas.ts';

/** The part of `fetch` that the client needs; `fetch` itself fits. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; signal?: AbortSignal },
) => Promise<{ status: number; headers: { get(name: string): string | null }; text(): Promise<string> }>;

interface ForVersion {
  /** ETag of the version on which a change is made. */
  readonly ifMatch?: string | undefined;
  /** Told the ETag of the answer. */
  readonly onETag?: (etag: string) => void;
}

/** A POST that is sent again with the same key is done once. */
interface ForOnce {
  readonly idempotencyKey?: string;
}

export type Call<R extends Route> = {
  readonly params?: Record<string, string | number>;
  readonly signal?: AbortSignal;
} & (R extends { etag: true } ? ForVersion : unknown) &
  (R extends { method: 'POST' } ? ForOnce : unknown) &
  (R extends { body: z.ZodType } ? { readonly body: BodyInputOf<R> } : unknown) &
  // The format is the client's own affair: see `fetchText`.
  (R extends { query: z.ZodType } ? { readonly query?: Omit<QueryInputOf<R>, 'format'> } : unknown);

type Arguments<R extends Route> = R extends { body: z.ZodType } | { params: z.ZodType }
  ? [Call<R>]
  : [Call<R>?];

export type Client = {
  readonly [K in RouteId]: (...call: Arguments<Contract[K]>) => Promise<AnswerOf<Contract[K]>>;
};

/** Fills `{name}` in a path. @throws {TypeError} when a parameter is missing */
export function buildPath(path: string, params: Readonly<Record<string, string | number>> = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined) throw new TypeError(`${path} needs ${name}.`);
    return encodeURIComponent(value);
  });
}

export interface ClientOptions<F = Fetch> {
  readonly baseUrl: string;
  readonly fetch: F;
  /** Access token, asked for at each call. */
  readonly accessToken?: () => string | undefined;
}

/** The request of a route, as `fetch` takes it. */
export function requestOf(
  options: ClientOptions<unknown>,
  route: Route,
  call: Call<Route> & ForVersion & ForOnce & { body?: unknown; query?: object },
  accept: string,
): Parameters<Fetch> {
  const query = Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined);
  const search =
    query.length === 0 ? '' : `?${query.map(([k, v]) => `${k}=${encodeURIComponent(String(v))}`).join('&')}`;
  const token = options.accessToken?.();
  return [
    options.baseUrl + buildPath(route.path, call.params) + search,
    {
      method: route.method,
      headers: {
        accept,
        ...(call.body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(call.idempotencyKey !== undefined && { 'idempotency-key': call.idempotencyKey }),
        ...(call.ifMatch !== undefined && { 'if-match': call.ifMatch }),
      },
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
      ...(call.signal !== undefined && { signal: call.signal }),
    },
  ];
}

/**
 * A typed client of the whole contract.
 * @throws {ProblemError} from each call when the server answers a problem
 */
export function createClient(options: ClientOptions): Client {
  const call = async (route: Route, request: Call<Route> & ForVersion & ForOnce = {}) => {
    const response = await options.fetch(...requestOf(options, route, request, 'application/json'));
    const text = await response.text();
    const success = route.success[response.status];
    if (success === undefined) throw toProblem(response.status, text);
    const etag = response.headers.get('etag');
    if (etag !== null) request.onETag?.(etag);
    if (success === null || success === 'event-stream') return undefined;
    return (isStreamable(success) ? success.json : success).parse(JSON.parse(text));
  };
  return Object.fromEntries(
    Object.entries(contract).map(([id, route]) => [id, (request?: never) => call(route, request)]),
  ) as unknown as Client;
}

/** What a failed answer says. */
export function toProblem(status: number, text: string): ProblemError {
  try {
    const details = problemDetails.parse(JSON.parse(text)) as ProblemDetails;
    return new ProblemError(details.code, details.detail, { issues: details.issues ?? [] });
  } catch (cause) {
    return new ProblemError('UNAVAILABLE', `The server answered ${status} without saying why. Try again.`, {
      cause,
    });
  }
}
