import { z } from 'zod';

/** Longest page that anybody gets. */
const MAX_PAGE = 200;

/** Query of a paged list, to be spread into the rest of the query: `z.strictObject({ ...pageQuery, status: … })`. */
export const pageQuery = {
  /** `nextCursor` of the page before; belongs to the same filters and the same order. */
  cursor: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
};

/** A page of a list. `nextCursor` is `null` on the last one. */
export const page = <S extends z.ZodType>(item: S) =>
  z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });

/** Every item of a paged list, page after page, e.g. `allItems((cursor) => client.listDevices({ query: { cursor } }))`. */
export async function allItems<T>(
  fetchPage: (cursor: string | undefined) => Promise<{ items: readonly T[]; nextCursor: string | null }>,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null | undefined;
  do {
    const { items: more, nextCursor } = await fetchPage(cursor ?? undefined);
    items.push(...more);
    cursor = nextCursor;
  } while (cursor !== null);
  return items;
}

/** Query of an answer that may also be had as streamed text; it wins over `Accept`. */
export const formatQuery = { format: z.enum(['json', 'csv', 'ndjson']).optional() };
