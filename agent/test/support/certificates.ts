import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3_600_000;

/** A private authority for tests: issues server certificates and signs the requests of devices. */
export interface TestAuthority {
  readonly certificatePem: string;
  issueServer(options?: {
    host?: string;
    notBefore?: Date;
    notAfter?: Date;
    /** Default: none is named. */
    purpose?: 'client';
    /** Issued by another certificate of this authority, which may be none of an authority, or by a row of them. */
    through?: 'an authority' | 'a leaf' | readonly Extension[][];
  }): Promise<{ key: string; cert: string }>;
  /** @param commonName instead of what the request says, as the cloud does */
  sign(
    csrDer: Uint8Array,
    commonName: string,
    life?: { notBefore: number; notAfter: number },
  ): Promise<{ pem: string; serial: string; notBefore: number; notAfter: number }>;
}

export async function createTestAuthority(name = 'Test root'): Promise<TestAuthority> {
  const rootKeys = await newKeys();
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 365 * 24 * HOUR_MS),
    notAfter: new Date(Date.now() + 365 * 24 * HOUR_MS),
    keys: rootKeys,
    signingAlgorithm: P256,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return {
    certificatePem: root.toString('pem'),
    async issueServer({ host = '127.0.0.1', notBefore, notAfter, purpose, through } = {}) {
      const keys = await newKeys();
      const row: Extension[][] =
        through === undefined
          ? []
          : typeof through === 'string'
            ? [[new BasicConstraintsExtension(through === 'an authority', undefined, true)]]
            : [...through];
      const betweens: Issuer[] = [];
      for (const extensions of row) {
        const above = betweens.at(-1) ?? { certificate: root, privateKey: rootKeys.privateKey };
        betweens.push(await intermediate(above, `CN=Between ${betweens.length}`, extensions));
      }
      const between = betweens.at(-1);
      const certificate = await X509CertificateGenerator.create({
        serialNumber: serial(),
        subject: `CN=${host}`,
        issuer: between?.certificate.subject ?? root.subject,
        notBefore: notBefore ?? new Date(Date.now() - HOUR_MS),
        notAfter: notAfter ?? new Date(Date.now() + 24 * HOUR_MS),
        signingKey: between?.privateKey ?? rootKeys.privateKey,
        publicKey: keys.publicKey,
        signingAlgorithm: P256,
        extensions: [
          ...(purpose === undefined ? [] : [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])]),
          new SubjectAlternativeNameExtension([{ type: /^[\d.]+$/.test(host) ? 'ip' : 'dns', value: host }]),
        ],
      });
      const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
      const body = Buffer.from(pkcs8).toString('base64');
      const key = `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;
      const chain = [certificate, ...betweens.map((one) => one.certificate).reverse()];
      return { key, cert: chain.map((one) => one.toString('pem')).join('\n') };
    },
    async sign(csrDer, commonName, life) {
      const request = new Pkcs10CertificateRequest(Uint8Array.from(csrDer));
      if (!(await request.verify())) throw new Error('the request is not signed by its own key');
      const serialNumber = serial();
      const { notBefore, notAfter } = life ?? {
        notBefore: Date.now() - 60_000,
        notAfter: Date.now() + 24 * HOUR_MS,
      };
      const certificate = await X509CertificateGenerator.create({
        serialNumber,
        subject: `CN=${commonName}`,
        issuer: root.subject,
        notBefore: new Date(notBefore),
        notAfter: new Date(notAfter),
        signingKey: rootKeys.privateKey,
        publicKey: request.publicKey,
        signingAlgorithm: P256,
      });
      return { pem: certificate.toString('pem'), serial: serialNumber, notBefore, notAfter };
    },
  };
}

interface Issuer {
  readonly certificate: X509Certificate;
  readonly privateKey: CryptoKey;
}

async function intermediate(above: Issuer, subject: string, extensions: Extension[]): Promise<Issuer> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(),
    subject,
    issuer: above.certificate.subject,
    notBefore: new Date(Date.now() - HOUR_MS),
    notAfter: new Date(Date.now() + 365 * 24 * HOUR_MS),
    signingKey: above.privateKey,
    publicKey: keys.publicKey,
    signingAlgorithm: P256,
    extensions,
  });
  return { certificate, privateKey: keys.privateKey };
}

function newKeys() {
  return crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
}

function serial(): string {
  return `4${randomBytes(15).toString('hex')}`;
}
