/** Bytes of the secret that a device and the cloud share in an assignment (HMAC-SHA-256). */
export const SHARED_SECRET_BYTES = 32;

/** Names the place of a sealed secret, for `SecretStore.seal` and `open`: moved to another row it does not open. */
export function sharedSecretContext(deviceUuid: string, assignment: number, n: number): string {
  return `assignment-secret:${deviceUuid}:${assignment}:${n}`;
}

/** `kid` of the n-th secret of an assignment. */
export function keyId(assignment: number, n: number): string {
  return `a${assignment}.${n}`;
}
