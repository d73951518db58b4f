import type { z } from 'zod';
import type { ProblemCode } from '../problems.ts';
import type { Policy } from './policies.ts';

/** `public` is for people and apps, `device` the TLS listener for devices. */
export type Listener = 'public' | 'device';

/** Listeners of a route. */
export const PUBLIC = ['public'] as const;
export const DEVICES = ['device'] as const;

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
  /** Status of success and its body; `null` for none, `'event-stream'` for server-sent events. */
  readonly success: Readonly<Record<number, z.ZodType | null | 'event-stream'>>;
  /** Problems beyond those that every route can answer. */
  readonly problems: readonly ProblemCode[];
}

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
/** Union of the success bodies. */
export type AnswerOf<R extends Route> = {
  [K in keyof R['success']]: R['success'][K] extends z.ZodType ? z.output<R['success'][K]> : undefined;
}[keyof R['success']];
