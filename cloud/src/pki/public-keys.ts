import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';

/** The one accepted encoding of a P-256 key: SubjectPublicKeyInfo with a named curve and an uncompressed point. */
const P256_HEAD = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
const P256_BYTES = 91;
const P1363_BYTES = 64;

/** A device's identity key as it was shown. */
export interface IdentityKey {
  readonly spki: Buffer;
  /** Hex SHA-256 of the SPKI. */
  readonly hash: string;
  /** Whether `signature` (P1363, base64url) over SHA-256 of `text` was made by this key. */
  verifies(text: string, signature: string): boolean;
}

/** Lower-case hex SHA-256. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/**
 * Reads a P-256 public key. A key in another encoding is refused: it would have another hash, and so escape
 * from the list of dead keys.
 * @returns `undefined` where it is no such key
 */
export function readIdentityKey(spki: Buffer): IdentityKey | undefined {
  if (spki.length !== P256_BYTES || !spki.subarray(0, P256_HEAD.length).equals(P256_HEAD)) return undefined;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    // A point that is not on the curve.
    return undefined;
  }
  return {
    spki,
    hash: sha256Hex(spki),
    verifies: (text, signature) => {
      const bytes = Buffer.from(signature, 'base64url');
      if (bytes.length !== P1363_BYTES || bytes.toString('base64url') !== signature) return false;
      return verify('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, bytes);
    },
  };
}
