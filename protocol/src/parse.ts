import type * as z from 'zod/mini';

/** One thing that is wrong with an input: where (`readings.0.value`) and what to do about it. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** Parses at the edge: the value is believed from there on. */
export function parseWith<S extends z.core.$ZodType>(schema: S, input: unknown): Parsed<z.core.output<S>> {
  const result = (schema as unknown as z.ZodMiniType<z.core.output<S>>).safeParse(input);
  if (result.success) return { ok: true, value: result.data };
  const issues = result.error.issues
    .slice(0, 10)
    .map((issue) => ({
      path: issue.path.map(String).join('.'),
      message: issue.message || issue.code || 'is not valid',
    }));
  return { ok: false, issues };
}

/** `readings.0.value: must be a number; v: must be 1`. */
export function describeIssues(issues: readonly Issue[]): string {
  return issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}
