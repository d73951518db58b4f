/** Work that recurs, run by one process of the cloud at a time; a missed run is made up for. */
export interface ScheduledJob {
  /** Lower-case words joined by hyphens. */
  readonly name: string;
  /** Five fields of cron, UTC. */
  readonly cron: string;
  run(): Promise<void>;
}

export interface Scheduler {
  /** Waits for running jobs (bounded), then stops. */
  close(): Promise<void>;
}
