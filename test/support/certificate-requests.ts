import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

export const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export type MadeCsr = {
  readonly der: Buffer<ArrayBuffer>;
  readonly keys: CryptoKeyPair;
  readonly keyPem: string;
};

/** A request as a device makes it: P-256, signed by its own key. */
export async function makeCsr(
  options: {
    readonly subject?: string;
    readonly extensions?: x509.Extension[];
    readonly keys?: CryptoKeyPair;
  } = {},
): Promise<MadeCsr> {
  const keys: CryptoKeyPair =
    options.keys ?? (await crypto.subtle.generateKey(P256, true, ['sign', 'verify']));
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: options.subject ?? 'CN=device',
    keys,
    signingAlgorithm: P256,
    extensions: options.extensions ?? [],
  });
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { der: Buffer.from(csr.rawData), keys, keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') };
}
