/** Why a driver, or loading one, failed. Closed: the agent shows the code and the message as the component's `ERROR`. */
export type DriverErrorCode =
  | 'CONFIG_INVALID'
  | 'ACTION_UNKNOWN'
  | 'ARGS_INVALID'
  | 'RUN_TOO_LONG'
  | 'MINIMUM_OFF_TIME'
  | 'NOT_RUNNING'
  | 'NO_ANSWER'
  | 'CHECKSUM'
  | 'OUT_OF_RANGE'
  | 'MEASUREMENT_INVALID'
  | 'OUTPUT_STUCK'
  | 'TIMED_OUT'
  | 'HARDWARE_MISSING'
  | 'DRIVER_UNKNOWN'
  | 'DRIVER_NOT_FOUND'
  | 'DRIVER_INVALID'
  | 'DRIVER_ENDED'
  | 'DRIVER_SUSPENDED'
  | 'API_VERSION';

/**
 * A failure of the world (a silent sensor, a refused action) or of a driver's definition.
 * The message says what was wrong and what to do; `details` holds the operands.
 */
export class DriverError extends Error {
  override readonly name = 'DriverError';
  readonly code: DriverErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: DriverErrorCode,
    message: string,
    options: { details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** The text of anything thrown, for a message that names its cause. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
