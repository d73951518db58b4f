import * as z from 'zod/mini';

/** One sentence for the owner. Neither NUL nor a lone surrogate: no database stores them, and a batch would fail. */
export const sentenceSchema = z.string().check(
  z.maxLength(500),
  z.refine((text) => !/[\p{Cs}\0]/u.test(text), 'must be text without NUL and lone surrogates'),
);
