/** Longest text that a result or a component's health carries. */
const MOST = 500;

/**
 * What a failure says, as one line that every store and screen can hold: a driver by others may throw anything.
 * Lone surrogates and control characters become spaces.
 */
export function sentenceOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.slice(0, MOST).replace(/[\p{Cs}\p{Cc}]+/gu, ' ');
}
