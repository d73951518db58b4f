import type { StepErrorCode } from '@ares/protocol/ble';
import { CloudApiError } from '../ports/cloud-api.ts';
import { WifiError } from '../ports/wifi.ts';

/** Why a step of a transaction failed, in the words of the Bluetooth conversation. */
export class StepError extends Error {
  override readonly name = 'StepError';
  readonly code: StepErrorCode;
  /** Whether waiting may help: the network comes back, the clock is set, the cloud has room again. */
  readonly transient: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: StepErrorCode,
    message: string,
    options: { cause?: unknown; transient?: boolean; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.transient = options.transient ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Says what a failure means for the person with the phone. `refused` names a refusal of this transaction. */
export function toStepError(cause: unknown, refused: 'CLAIM_REFUSED' | 'RECOVERY_REFUSED'): StepError {
  if (cause instanceof StepError) return cause;
  if (cause instanceof WifiError) return new StepError(cause.code, cause.message, { cause });
  if (!(cause instanceof CloudApiError)) {
    return new StepError('INTERNAL', cause instanceof Error ? cause.message : String(cause), { cause });
  }
  const transient = (code: StepErrorCode) =>
    new StepError(code, cause.message, {
      cause,
      transient: true,
      retryAfterMs: cause.retryAfterSeconds === undefined ? undefined : cause.retryAfterSeconds * 1_000,
    });
  const final = (code: StepErrorCode) => new StepError(code, cause.message, { cause });
  switch (cause.code) {
    case 'DNS':
      return transient('DNS_FAILED');
    case 'CLOCK':
      return transient('CLOCK_UNTRUSTED');
    case 'CONNECT':
    case 'TIMEOUT':
    case 'UNAVAILABLE':
      return transient('CLOUD_UNREACHABLE');
    case 'TLS':
      return final('TLS_FAILED');
    case 'REFUSED':
      if (cause.problem === 'CLAIM_EXPIRED' || cause.problem === 'NONCE_EXPIRED')
        return final('CLAIM_EXPIRED');
      if (cause.problem === 'IDENTITY_UNKNOWN') return final('IDENTITY_UNKNOWN');
      return final(refused);
    case 'ANSWER_INVALID':
    case 'ANSWER_TOO_LARGE':
      return final('CERTIFICATE_FAILED');
    case 'ABORTED':
      return final('INTERRUPTED');
    case 'CHILD_FAILED':
      return final('INTERNAL');
  }
}
