import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;

export interface TestCertificate {
  readonly certificatePem: string;
  /** PKCS#8. */
  readonly keyPem: string;
}

export interface IssueOptions {
  readonly commonName: string;
  readonly usage: 'client' | 'server';
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** A certificate authority of one test: valid, expired, foreign or not-yet-valid certificates on demand. */
export interface TestAuthority {
  readonly certificatePem: string;
  issue(options: IssueOptions): Promise<TestCertificate>;
}

export async function makeTestAuthority(name = 'Test CA'): Promise<TestAuthority> {
  const keys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    serialNumber: serial(),
    keys,
    signingAlgorithm: P256,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + 365 * dayMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificatePem: ca.toString('pem'),
    issue: async ({ commonName, usage, notBefore, notAfter }) => {
      const own = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
      const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: serial(),
        subject: `CN=${commonName}`,
        issuer: ca.subject,
        notBefore: notBefore ?? new Date(Date.now() - 60_000),
        notAfter: notAfter ?? new Date(Date.now() + dayMs),
        signingKey: keys.privateKey,
        publicKey: own.publicKey,
        signingAlgorithm: P256,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([usage === 'client' ? clientAuth : serverAuth], true),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
          ...(usage === 'server'
            ? [
                new x509.SubjectAlternativeNameExtension([
                  { type: 'dns', value: commonName },
                  { type: 'ip', value: '127.0.0.1' },
                ]),
              ]
            : []),
        ],
      });
      const pkcs8 = await crypto.subtle.exportKey('pkcs8', own.privateKey);
      return {
        certificatePem: certificate.toString('pem'),
        keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
      };
    },
  };
}

/** 16 random bytes, positive as DER counts. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x01;
  return bytes.toString('hex');
}
