/**
 * Where the cloud keeps what nobody may read: named secrets, sealed values that live in the database, and
 * its own signing keys. Embedded: a folder of files; production: Vault.
 */

/** A persistent Ed25519 key pair of the cloud, for instance the one that signs orders to devices. */
export type SigningKeyPair = {
  /** RFC 7638 thumbprint of the public key: stable, and safe to publish. */
  readonly kid: string;
  /** What a JWKS may show; carries `kid`, `alg` and `use`, and no private member. */
  readonly publicJwk: PublicSigningJwk;
  /** For `importJWK` of jose; never logged, never sent. */
  readonly privateJwk: PublicSigningJwk & { readonly d: string };
};

/** An Ed25519 public key as RFC 8037 writes it. */
export type PublicSigningJwk = {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
};

export interface SecretStore {
  /**
   * Encrypts a value that is stored elsewhere (a database column). `context` names the place, for instance
   * `assignment-secret:17`; the same context is needed to open it, so a sealed value moved to another row is refused.
   */
  seal(plaintext: Uint8Array, context: string): Promise<Uint8Array>;

  /**
   * Reverses {@link seal}.
   * @throws {SecretStoreError} SEALED_DAMAGED (altered, or another context), KEY_MISMATCH (sealed under another key)
   */
  open(sealed: Uint8Array, context: string): Promise<Uint8Array>;

  /**
   * The named secret, or undefined when there is none.
   * @throws {SecretStoreError} SEALED_DAMAGED, KEY_MISMATCH, INVALID_NAME
   */
  get(name: string): Promise<Uint8Array | undefined>;

  /** Stores or replaces a named secret, durably when the promise resolves. */
  put(name: string, value: Uint8Array): Promise<void>;

  /**
   * Stores a named secret only if there is none, and says whether this call did. Of several processes that
   * race, exactly one gets `true`; the others read what it wrote.
   */
  create(name: string, value: Uint8Array): Promise<boolean>;

  /** Removes a named secret; one that does not exist is not an error. */
  delete(name: string): Promise<void>;

  /** The named signing key, made on first use and the same ever after, in every process. */
  keyPair(name: string): Promise<SigningKeyPair>;
}

export type SecretStoreErrorCode =
  /** Sealed data exist, the key that opens them does not. Nothing is overwritten. */
  | 'KEY_MISSING'
  /** The key is there but it is not the one that sealed this. */
  | 'KEY_MISMATCH'
  /** The key file is not a key. */
  | 'KEY_DAMAGED'
  /** The key file can be read by other users of the machine. */
  | 'KEY_EXPOSED'
  /** The sealed bytes were altered, cut, or belong to another context. */
  | 'SEALED_DAMAGED'
  | 'INVALID_NAME'
  /** The store cannot be reached or written now; the cause says why. */
  | 'UNAVAILABLE';

/** A refusal of the secret store. Its message says what to do and never holds a secret. */
export class SecretStoreError extends Error {
  override readonly name = 'SecretStoreError';
  readonly code: SecretStoreErrorCode;

  constructor(code: SecretStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?$/;

/**
 * Names are one path segment on every backend: lower-case letters, digits, dots and hyphens, at most 100.
 * @throws {SecretStoreError} INVALID_NAME
 */
export function assertSecretName(name: string): void {
  if (!NAME.test(name) || name.includes('..')) {
    throw new SecretStoreError(
      'INVALID_NAME',
      `"${name}" is no name for a secret: use 1 to 100 of a-z, 0-9, "." and "-", beginning and ending with a letter or digit.`,
    );
  }
}
