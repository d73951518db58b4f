import type { ProblemCode } from '@ares/protocol';
import type { CredentialsAnswer, CredentialsRequest, DeviceComponents } from '@ares/protocol/http/device';

/**
 * Why a call to the cloud failed. Closed.
 * `CLOCK`: the server's certificate is not valid yet, so this device's clock is behind: wait, change nothing.
 * `REFUSED`: the cloud answered with a problem; see `problem`. `UNAVAILABLE`: it asked to come back later.
 */
export type CloudApiErrorCode =
  | 'DNS'
  | 'CONNECT'
  | 'TIMEOUT'
  | 'TLS'
  | 'CLOCK'
  | 'REFUSED'
  | 'UNAVAILABLE'
  | 'ANSWER_TOO_LARGE'
  | 'ANSWER_INVALID'
  | 'ABORTED'
  | 'CHILD_FAILED';

export interface CloudApiErrorDetails {
  readonly problem?: ProblemCode | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** A failure of a call to the cloud. The message never holds a key, a nonce, a token or a secret. */
export class CloudApiError extends Error {
  override readonly name = 'CloudApiError';
  readonly code: CloudApiErrorCode;
  readonly problem: ProblemCode | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: CloudApiErrorCode,
    message: string,
    details: CloudApiErrorDetails & { readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.problem = details.problem;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** The calls of a device to the cloud's device listener. Every one is bounded in time and size. */
export interface CloudApi {
  /** `host:port` as it is signed. */
  readonly apiHost: string;
  /** Resolves the name and completes a TLS handshake. @throws {CloudApiError} DNS, CONNECT, TIMEOUT, TLS, CLOCK */
  reach(signal: AbortSignal): Promise<void>;
  /** A fresh nonce for any grant but `claim`, and for standing and receipt. */
  challenge(deviceUuid: string, signal: AbortSignal): Promise<string>;
  credentials(request: CredentialsRequest, signal: AbortSignal): Promise<CredentialsAnswer>;
  /** The answer, a compact JWS `standing+jwt`, not verified yet. */
  standing(
    request: { deviceUuid: string; nonce: string; signature: string },
    signal: AbortSignal,
  ): Promise<string>;
  /** The cloud's time, a compact JWS `time+jwt`, not verified yet. The only call that looks at no certificate's dates. */
  time(nonce: string, signal: AbortSignal): Promise<string>;
  resetReceipt(
    request: {
      deviceUuid: string;
      assignment: number;
      orderId: string | null;
      nonce: string;
      signature: string;
    },
    signal: AbortSignal,
  ): Promise<void>;
  /** Needs a client certificate. */
  components(deviceUuid: string, signal: AbortSignal): Promise<DeviceComponents>;
  close(): Promise<void>;
}
