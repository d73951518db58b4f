import 'reflect-metadata';
import { createECDH } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { CertificateAuthorityError, type CheckedCsr } from '../ports/certificate-authority.ts';

/** A P-256 request takes about 300 bytes; the rest is room for names and extensions that nobody reads. */
const LONGEST_CSR = 4_096;

/** The one encoding of a P-256 key as SubjectPublicKeyInfo (RFC 5480) with an uncompressed point. */
const P256_SPKI_HEAD = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
const P256_SPKI_BYTES = 91;

/**
 * Reads a certificate request of which only the public key will be used. The key is looked at before the
 * signature: verifying a huge RSA key would cost more than the request deserves.
 * @throws {CertificateAuthorityError} CSR_MALFORMED, KEY_REFUSED, CSR_SIGNATURE_INVALID
 */
export async function checkCsr(der: Uint8Array): Promise<CheckedCsr> {
  const bytes = Buffer.from(der);
  if (!isOneSequence(bytes)) throw malformed('it is not one DER sequence of at most 4096 bytes');
  let request: x509.Pkcs10CertificateRequest;
  let spki: Buffer;
  try {
    request = new x509.Pkcs10CertificateRequest(bytes);
    spki = Buffer.from(request.publicKey.rawData);
  } catch (cause) {
    throw malformed('it is not a PKCS#10 request', cause);
  }
  if (spki.length !== P256_SPKI_BYTES || !spki.subarray(0, P256_SPKI_HEAD.length).equals(P256_SPKI_HEAD)) {
    throw new CertificateAuthorityError(
      'KEY_REFUSED',
      'The key must be P-256, with its curve named and its point uncompressed.',
    );
  }
  if (wellKnownPoints().has(pointX(spki))) {
    throw new CertificateAuthorityError(
      'KEY_REFUSED',
      'The private half of this key is published: draw another one.',
    );
  }
  if (!(await isSelfSigned(request))) {
    throw new CertificateAuthorityError(
      'CSR_SIGNATURE_INVALID',
      'The request is not signed by the key that it holds.',
    );
  }
  return { publicKeySpki: spki };
}

/** The library also takes PEM, hex and base64, and ignores what follows: other bytes, same request. We do not. */
function isOneSequence(bytes: Buffer): boolean {
  if (bytes.length > LONGEST_CSR || bytes[0] !== 0x30) return false;
  const short = bytes[1] ?? 0;
  if (short < 0x80) return bytes.length === 2 + short;
  const lengthBytes = short - 0x80;
  if (lengthBytes < 1 || lengthBytes > 2 || bytes.length < 2 + lengthBytes) return false;
  return bytes.length === 2 + lengthBytes + bytes.readUIntBE(2, lengthBytes);
}

async function isSelfSigned(request: x509.Pkcs10CertificateRequest): Promise<boolean> {
  const { hash } = request.signatureAlgorithm as { hash?: { name?: string } };
  if (hash?.name === undefined || hash.name === 'SHA-1') return false;
  try {
    return await request.verify();
  } catch {
    // A point that is not on the curve, or a signature of another algorithm.
    return false;
  }
}

/** x of points whose private key anybody knows: the first multiples of the base point, and the keys of RFC examples. */
let knownPoints: ReadonlySet<string> | undefined;
function wellKnownPoints(): ReadonlySet<string> {
  if (knownPoints) return knownPoints;
  const scalars = [
    ...Array.from({ length: 64 }, (_, index) => (index + 1).toString(16).padStart(64, '0')),
    'c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721', // RFC 6979, A.2.5
    Buffer.from('jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI', 'base64url').toString('hex'), // RFC 7515, A.3
    Buffer.from('870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE', 'base64url').toString('hex'), // RFC 7517, A.2
  ];
  knownPoints = new Set(
    scalars.map((scalar) => {
      const ecdh = createECDH('prime256v1');
      ecdh.setPrivateKey(scalar, 'hex');
      return ecdh.getPublicKey().subarray(1, 33).toString('hex');
    }),
  );
  return knownPoints;
}

function pointX(spki: Buffer): string {
  return spki.subarray(P256_SPKI_HEAD.length, P256_SPKI_HEAD.length + 32).toString('hex');
}

function malformed(why: string, cause?: unknown): CertificateAuthorityError {
  return new CertificateAuthorityError('CSR_MALFORMED', `The certificate request cannot be read: ${why}.`, {
    cause,
  });
}
