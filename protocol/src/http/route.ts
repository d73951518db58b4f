import type { z } from 'zod';
import type { ProblemCode } from '../problems.ts';
import type { Policy } from './policies.ts';

/** `public` is for people and apps, `device` the TLS listener for devices. */
export type Listener = 'public' | 'device';

/** Listeners of a route. */
export const PUBLIC = ['public'] as const;
export const DEVICES = ['device'] as const;

/** Formats in which an answer is streamed as text, and their media types. */
export const textFormats = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const;
export type TextFormat = keyof typeof textFormats;

/**
 * An answer that is one JSON document or, for who asks by `format` in the query or by `Accept`, the whole of it as
 * streamed text.
 */
export interface Streamable<S extends z.ZodType = z.ZodType> {
  readonly json: S;
  readonly text: readonly TextFormat[];
}

/** `success: { 200: streamable(schema, ['csv', 'ndjson']) }`; put `formatQuery` into the query. */
export function streamable<const S extends z.ZodType>(json: S, text: readonly TextFormat[]): Streamable<S> {
  return { json, text };
}

export interface Route {
  /** Name in the client and the OpenAPI document. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** OpenAPI form: `/api/devices/{id}`. */
  readonly path: string;
  readonly summary: string;
  /** Who may call it; see the table of policies. */
  readonly policy: Policy;
  readonly listeners: readonly Listener[];
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** The answer carries the entity's version as its ETag; what changes the entity honours `If-Match`. */
  readonly etag?: true;
  /** Anybody may keep the answer for so long; with an ETag, so that it is fetched again only when it changed. */
  readonly cacheSeconds?: number;
  /** Status of success and its body; `null` for none, `'event-stream'` for server-sent events. */
  readonly success: Readonly<Record<number, Success>>;
  /** Problems beyond those that every route can answer. */
  readonly problems: readonly ProblemCode[];
}

export type Success = z.ZodType | Streamable | 'event-stream' | null;

/** Whether an answer may also be had as streamed text. */
export const isStreamable = (success: Success | undefined): success is Streamable =>
  typeof success === 'object' && success !== null && 'text' in success;

/** Keeps the literal types of a route for the server and the client. */
export function defineRoute<const R extends Route>(route: R): R {
  return route;
}

type Output<S> = S extends z.ZodType ? z.output<S> : undefined;
type Input<S> = S extends z.ZodType ? z.input<S> : undefined;

export type ParamsOf<R extends Route> = R extends { params: infer S } ? Output<S> : Record<string, never>;
export type QueryOf<R extends Route> = R extends { query: infer S } ? Output<S> : Record<string, never>;
export type BodyOf<R extends Route> = R extends { body: infer S } ? Output<S> : undefined;
export type BodyInputOf<R extends Route> = R extends { body: infer S } ? Input<S> : undefined;
export type QueryInputOf<R extends Route> = R extends { query: infer S } ? Input<S> : undefined;
/** Schema of the JSON body of a success; `never` where there is none. */
export type JsonOf<S> = S extends z.ZodType ? S : S extends Streamable<infer J> ? J : never;
/** Union of the success bodies. */
export type AnswerOf<R extends Route> = {
  [K in keyof R['success']]: [JsonOf<R['success'][K]>] extends [never]
    ? undefined
    : z.output<JsonOf<R['success'][K]>>;
}[keyof R['success']];
