/** A page of a list, as the contract's `page()` gives it. */
export interface Page<T> {
  readonly items: T[];
  readonly nextCursor: string | null;
}

/**
 * The position in a list as an opaque string: the sort key of the last row of a page. It grants nothing: each query
 * asks again what its caller may see.
 */
export function encodeCursor(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/**
 * Cuts a page from rows of which one more than `limit` was asked for.
 * @param positionOf the sort key of a row, for the cursor
 */
export function toPage<R, T>(
  rows: readonly R[],
  limit: number,
  options: { readonly positionOf: (row: R) => unknown; readonly toItem: (row: R) => T },
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    items: shown.map(options.toItem),
    nextCursor: more ? encodeCursor(options.positionOf(last)) : null,
  };
}
