/** How readings are kept and rolled up: by partitions of PostgreSQL, or by TimescaleDB where it is there. */
export interface ReadingStorage {
  readonly kind: 'partitions' | 'timescale';
  /** Makes room for everything that may arrive in the next days. Safe to repeat, and by several processes. */
  ensure(now: number): Promise<void>;
  /** Makes the roll-ups again of whatever arrived since. @returns how many (device, minute) it touched */
  rollUp(): Promise<number>;
  /** Removes what is older than it is kept. @returns what was removed, for the log */
  dropExpired(now: number): Promise<readonly string[]>;
}
