import type * as z from 'zod/mini';

/** One thing that is wrong with an input: where (`readings.0.value`) and what to do about it. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly Issue[] };

const MOST_ISSUES = 10;

/** Parses at the edge: the value is believed from there on. */
export function parseWith<S extends z.core.$ZodType>(schema: S, input: unknown): Parsed<z.core.output<S>> {
  const result = (schema as unknown as z.ZodMiniType<z.core.output<S>>).safeParse(input);
  if (result.success) return { ok: true, value: result.data };
  const issues = result.error.issues
    .slice(0, MOST_ISSUES)
    .map((issue) => ({ path: issue.path.map(String).join('.'), message: explain(issue) }));
  return { ok: false, issues };
}

/** zod/mini brings no texts of its own; these few stand for the bundle of a locale. */
function explain(issue: z.core.$ZodIssue): string {
  const own = issue.message !== '' && issue.message !== 'Invalid input' ? issue.message : undefined;
  switch (issue.code) {
    case 'invalid_type':
      return own ?? `must be of type ${issue.expected}`;
    case 'too_small':
      return own ?? `must be at least ${issue.minimum} (${issue.origin})`;
    case 'too_big':
      return own ?? `must be at most ${issue.maximum} (${issue.origin})`;
    case 'invalid_value':
      return own ?? `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
    case 'unrecognized_keys':
      return own ?? `has unknown members: ${issue.keys.join(', ')}`;
    default:
      return own ?? 'is not valid';
  }
}

/** `readings.0.value: must be a number; v: must be 1`. */
export function describeIssues(issues: readonly Issue[]): string {
  return issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}
