import type { SafeOutput } from '@ares/hardware-drivers';

/**
 * `GUARD_UNAVAILABLE`: the process is not there (it is being started again): nothing may be switched on.
 * `GUARD_REFUSED`: it cannot write the output's file, or did not understand.
 */
export type GuardErrorCode = 'GUARD_UNAVAILABLE' | 'GUARD_REFUSED';

export class GuardError extends Error {
  override readonly name = 'GuardError';
  readonly code: GuardErrorCode;

  constructor(code: GuardErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
  }
}

/**
 * A process outside of this one that writes outputs to their safe level when a lease ends or when the agent is gone,
 * however it went. `id` names the output's owner (letters, digits, `_`, `-`), one per component.
 */
export interface Guard {
  /** Starts the process. @throws {GuardError} GUARD_UNAVAILABLE */
  start(): Promise<void>;
  available(): boolean;
  /** Makes the outputs safe now and again whenever the agent is gone. @throws {GuardError} */
  protect(id: string, outputs: readonly SafeOutput[]): Promise<void>;
  /** Forgets the outputs of a component that is unloaded; safe levels stay as written. */
  release(id: string): Promise<void>;
  /**
   * The outputs go safe after `leaseMs` unless disarmed or armed again. Resolves when the timer runs: only then may
   * the output be switched on. A second arm replaces the timer without a gap. @throws {GuardError}
   */
  arm(id: string, leaseMs: number, outputs: readonly SafeOutput[]): Promise<void>;
  /** Ends the lease; the outputs stay protected. */
  disarm(id: string): Promise<void>;
  /** Writes the safe levels at once, past every driver. Works without the process too. */
  makeSafe(outputs: readonly SafeOutput[]): Promise<void>;
  /** Called when the process died by itself: the agent switches every output off now. The answer takes the listener off. */
  onLost(listener: () => void): () => void;
  /** Makes everything safe and ends the process. */
  stop(): Promise<void>;
}
