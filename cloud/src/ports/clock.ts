/** Time as an argument, so that tests decide it. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
}
