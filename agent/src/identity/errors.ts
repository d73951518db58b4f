export type IdentityErrorCode =
  | 'SERIAL_UNREADABLE'
  | 'TRUST_MISSING'
  | 'TRUST_INVALID'
  | 'TRUST_DIFFERS'
  | 'IDENTITY_DAMAGED';

/** Something is wrong with what makes this device this device; the message says what to do. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
  readonly code: IdentityErrorCode;

  constructor(code: IdentityErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
