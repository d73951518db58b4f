import * as z from 'zod/mini';

const count = z.int().check(z.nonnegative());

/**
 * What went wrong on the device where nobody else could see it: totals, not differences, so a lost message loses
 * nothing. In a birth and in messages of readings; absent while all are 0.
 */
export const countersSchema = z.strictObject({
  /** Readings lost to the quota or to a full disk since the assignment began. */
  droppedReadings: count,
  /** Orders that were ignored since the boot began: forged, for another device or owner, or too many at once. */
  ignoredOrders: count,
});
export type DeviceCounters = z.infer<typeof countersSchema>;
