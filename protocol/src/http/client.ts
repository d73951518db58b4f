import type { z } from 'zod';
import { type ProblemDetails, ProblemError } from '../problems.ts';
import { type Contract, contract, type RouteId } from './contract.ts';
import type { AnswerOf, BodyInputOf, QueryInputOf, Route } from './route.ts';
import { problemDetails } from './schemas.ts';

/** The part of `fetch` that the client needs; `fetch` itself fits. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; signal?: AbortSignal },
) => Promise<{ status: number; headers: { get(name: string): string | null }; text(): Promise<string> }>;

type Call<R extends Route> = {
  readonly params?: Record<string, string | number>;
  readonly signal?: AbortSignal;
} & (R extends { body: z.ZodType } ? { readonly body: BodyInputOf<R> } : unknown) &
  (R extends { query: z.ZodType } ? { readonly query?: QueryInputOf<R> } : unknown);

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

/**
 * A typed client of the whole contract.
 * @throws {ProblemError} from each call when the server answers a problem
 */
export function createClient(options: {
  readonly baseUrl: string;
  readonly fetch: Fetch;
  /** Access token, asked for at each call. */
  readonly accessToken?: () => string | undefined;
}): Client {
  const call = async (route: Route, request: Call<Route> & { body?: unknown; query?: object } = {}) => {
    const query = Object.entries(request.query ?? {}).filter(([, value]) => value !== undefined);
    const search =
      query.length === 0
        ? ''
        : `?${query.map(([k, v]) => `${k}=${encodeURIComponent(String(v))}`).join('&')}`;
    const token = options.accessToken?.();
    const response = await options.fetch(options.baseUrl + buildPath(route.path, request.params) + search, {
      method: route.method,
      headers: {
        accept: 'application/json',
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      ...(request.signal !== undefined && { signal: request.signal }),
    });
    const text = await response.text();
    const success = route.success[response.status];
    if (success === undefined) throw toProblem(response.status, text);
    if (success === null || success === 'event-stream') return undefined;
    return success.parse(JSON.parse(text));
  };
  return Object.fromEntries(
    Object.entries(contract).map(([id, route]) => [id, (request?: never) => call(route, request)]),
  ) as unknown as Client;
}

function toProblem(status: number, text: string): ProblemError {
  try {
    const details = problemDetails.parse(JSON.parse(text)) as ProblemDetails;
    return new ProblemError(details.code, details.detail, { issues: details.issues ?? [] });
  } catch (cause) {
    return new ProblemError('UNAVAILABLE', `The server answered ${status} without saying why. Try again.`, {
      cause,
    });
  }
}
