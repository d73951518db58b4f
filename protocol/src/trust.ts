import * as z from 'zod/mini';
import { type Parsed, parseWith } from './parse.ts';

/** A public signing key: Ed25519 as JWK (RFC 8037). */
export const publicKeySchema = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/)),
  kid: z.string().check(z.minLength(1), z.maxLength(100)),
  alg: z.literal('EdDSA'),
  use: z.literal('sig'),
});

/**
 * The trust file of a device: it comes with the image or by `factory-init --trust` and changes only by a signed
 * update target. No answer of the cloud and nothing over Bluetooth carries it.
 */
const trustFileSchema = z.strictObject({
  v: z.literal(1),
  /** PEM certificates; the cloud's TLS servers must chain to one of them. */
  caCertificates: z
    .array(z.string().check(z.startsWith('-----BEGIN CERTIFICATE-----')))
    .check(z.minLength(1), z.maxLength(8)),
  /** Keys that sign orders (RFC 7517). */
  commandKeys: z.strictObject({ keys: z.array(publicKeySchema).check(z.minLength(1), z.maxLength(16)) }),
  /** TUF root metadata; `null` until updates are set up. */
  tufRoot: z.nullable(z.record(z.string(), z.unknown())),
});
export type TrustFile = z.infer<typeof trustFileSchema>;

export function parseTrustFile(input: unknown): Parsed<TrustFile> {
  return parseWith(trustFileSchema, input);
}
