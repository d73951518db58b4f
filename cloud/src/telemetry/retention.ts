export const DAY_MS = 86_400_000;

/** How long readings are kept, in days. */
export interface Retention {
  /** Each reading by itself; what is older when it arrives is refused finally. */
  readonly rawDays: number;
  /** Their roll-up by minutes; not less than `rawDays`, as hours are made from minutes. */
  readonly minuteDays: number;
  /** Their roll-up by hours, and days made from them; absent: for ever. */
  readonly hourDays?: number;
}

export const defaultRetention: Retention = { rawDays: 7, minuteDays: 90 };

/** `2026-11-20` of the UTC day in which the time lies. */
export function isoDay(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
