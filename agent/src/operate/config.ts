/** Configuration slice of the operating session; every time in ms. */
export interface OperatingConfig {
  /** Version of the agent as the birth names it. */
  readonly agentVersion: string;
  /** Readings are stored, and go, together after this time or number; the first, changes of state and errors at once. */
  readonly batchAfterMs: number;
  readonly batchReadings: number;
  /** Most messages without an acknowledgement, a slot of which is always left for live readings. */
  readonly maxUnacknowledged: number;
  /** Unanswered messages are sent again after this, doubling up to the maximum, ± half. */
  readonly resendAfterMs: number;
  readonly resendMaxMs: number;
  /** So many unanswered messages in a row raise `refused` with `UNANSWERED`. */
  readonly unansweredLimit: number;
  readonly keepAliveSeconds: number;
  readonly connectTimeoutMs: number;
  /** Reconnects are spread over at least this (full jitter), the window doubling up to the cap. */
  readonly reconnectSpreadMs: number;
  readonly reconnectCapMs: number;
  /** How long a driver may take to load and start, to stop, to read, to act. */
  readonly driverStartTimeoutMs: number;
  readonly driverStopTimeoutMs: number;
  readonly driverReadTimeoutMs: number;
  readonly driverRunTimeoutMs: number;
  /** A failed component is loaded again after this, doubling up to the maximum. */
  readonly componentRetryMs: number;
  readonly componentRetryMaxMs: number;
  /** Replaces the sampling interval of every component; for demonstrations. */
  readonly sampleIntervalMs?: number | undefined;
}

export const defaultOperatingConfig: Omit<OperatingConfig, 'agentVersion'> = {
  batchAfterMs: 15_000,
  batchReadings: 50,
  maxUnacknowledged: 4,
  resendAfterMs: 30_000,
  resendMaxMs: 600_000,
  unansweredLimit: 3,
  keepAliveSeconds: 60,
  connectTimeoutMs: 15_000,
  reconnectSpreadMs: 30_000,
  reconnectCapMs: 300_000,
  driverStartTimeoutMs: 10_000,
  driverStopTimeoutMs: 2_000,
  driverReadTimeoutMs: 15_000,
  driverRunTimeoutMs: 5_000,
  componentRetryMs: 5_000,
  componentRetryMaxMs: 300_000,
};
