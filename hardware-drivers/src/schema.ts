import * as mini from 'zod/mini';

/**
 * The part of zod/mini that drivers describe their config and arguments with. A driver by others uses this one
 * (`import { z } from '@ares/hardware-drivers'`), so it carries no schema library of its own; the whole
 * namespace would keep every locale of zod in the resident process.
 */
export const z = {
  strictObject: mini.strictObject,
  number: mini.number,
  int: mini.int,
  string: mini.string,
  boolean: mini.boolean,
  enum: mini.enum,
  literal: mini.literal,
  array: mini.array,
  union: mini.union,
  optional: mini.optional,
  /** A value that the config may leave out. */
  withDefault: mini._default,
  gte: mini.gte,
  lte: mini.lte,
  gt: mini.gt,
  lt: mini.lt,
  minLength: mini.minLength,
  maxLength: mini.maxLength,
  regex: mini.regex,
  refine: mini.refine,
} as const;

/** Any schema of `z`. */
export type Schema<T = unknown> = mini.ZodMiniType<T>;
/** What a schema yields after parsing, defaults filled in. */
export type Parsed<S extends Schema> = mini.output<S>;

/** A BCM line of the 40-pin header. */
export function bcmPin() {
  return mini.int().check(mini.gte(0), mini.lte(27));
}

/** `config.pin: Invalid input: expected int; …`, for a message that names each fault and its place. */
export function issuesOf(where: string, error: mini.core.$ZodError): string {
  return error.issues
    .slice(0, 10)
    .map(
      (issue) =>
        `${[where, ...issue.path.map(String)].filter((part) => part !== '').join('.')}: ${issue.message || issue.code}`,
    )
    .join('; ');
}
