import { CloudApiError, type CloudApiErrorCode } from '../ports/cloud-api.ts';

const byCode: Readonly<Record<string, CloudApiErrorCode>> = {
  ENOTFOUND: 'DNS',
  EAI_AGAIN: 'DNS',
  ECONNREFUSED: 'CONNECT',
  ECONNRESET: 'CONNECT',
  EHOSTUNREACH: 'CONNECT',
  ENETUNREACH: 'CONNECT',
  EPIPE: 'CONNECT',
  UND_ERR_SOCKET: 'CONNECT',
  ETIMEDOUT: 'TIMEOUT',
  UND_ERR_CONNECT_TIMEOUT: 'TIMEOUT',
  UND_ERR_HEADERS_TIMEOUT: 'TIMEOUT',
  UND_ERR_BODY_TIMEOUT: 'TIMEOUT',
  UND_ERR_ABORTED: 'ABORTED',
  ABORT_ERR: 'ABORTED',
  // A server that is not valid yet means that this device's clock is behind, never that the cloud is an impostor.
  CERT_NOT_YET_VALID: 'CLOCK',
};

// OpenSSL names its verification errors without a common prefix.
const TLS_CODE =
  /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_|PATH_LENGTH_|UNSPECIFIED)/;

/** Says what a failure of undici, DNS, socket or TLS means for the device. */
export function toCloudApiError(cause: unknown): CloudApiError {
  if (cause instanceof CloudApiError) return cause;
  const code = codeOf(cause);
  const kind = byCode[code] ?? (TLS_CODE.test(code) ? 'TLS' : 'CONNECT');
  const message = cause instanceof Error ? cause.message : String(cause);
  return new CloudApiError(kind, `${code || 'ERROR'}: ${message}`, { cause });
}

function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return '';
  if (cause instanceof AggregateError) return codeOf(cause.errors[0]);
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  return cause.name === 'AbortError' ? 'ABORT_ERR' : codeOf(cause.cause);
}
