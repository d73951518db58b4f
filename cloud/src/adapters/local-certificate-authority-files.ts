import 'reflect-metadata';
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { type CaCertificates, CertificateAuthorityError } from '../ports/certificate-authority.ts';
import type { Clock } from '../ports/clock.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import { createDurably, hasCode, preparePrivateFolder } from './durable-file.ts';

export const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The key type of WebCrypto, whose name depends on whose globals are in force. */
type SigningKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** A CA that can sign. */
export type Signer = { readonly certificate: x509.X509Certificate; readonly key: SigningKey };

export type AuthorityKeys = {
  readonly root: Signer;
  readonly intermediate: Signer;
  readonly pem: CaCertificates;
};

/** The whole authority is one file, so it exists whole or not at all. Keys are PKCS#8, sealed, base64. */
type AuthorityFile = {
  readonly version: 1;
  readonly root: { readonly certificate: string; readonly sealedKey: string };
  readonly intermediate: { readonly certificate: string; readonly sealedKey: string };
};

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const ROOT_YEARS = 20;
const INTERMEDIATE_YEARS = 10;

/**
 * Reads the authority of a folder, making it on first use; of several processes that race, one makes it.
 * @throws {CertificateAuthorityError} AUTHORITY_DAMAGED
 * @throws {SecretStoreError} when its keys cannot be opened
 */
export async function loadAuthority(dir: string, secrets: SecretStore, clock: Clock): Promise<AuthorityKeys> {
  await preparePrivateFolder(dir);
  const path = join(dir, 'authority.json');
  const found = await readIfThere(path);
  if (found !== undefined) return openAuthority(path, found, secrets);
  await createDurably(path, JSON.stringify(await makeAuthority(secrets, clock), null, 2));
  return openAuthority(path, await readFile(path, 'utf8'), secrets);
}

async function makeAuthority(secrets: SecretStore, clock: Clock): Promise<AuthorityFile> {
  const now = Math.floor(clock.now() / 1_000) * 1_000;
  // Two installations must not have CAs of one name: a verifier that meets both would try the wrong key.
  const tag = randomBytes(4).toString('hex');
  const rootKeys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const intermediateKeys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  // A day back, so that no leaf (five minutes back) begins before its CA.
  const notBefore = new Date(now - DAY_MS);
  const usage = new x509.KeyUsagesExtension(
    x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
    true,
  );

  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: drawSerial(),
    name: [{ CN: [`Ares Root ${tag}`] }],
    notBefore,
    notAfter: new Date(now + ROOT_YEARS * YEAR_MS),
    keys: rootKeys,
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      usage,
      await x509.SubjectKeyIdentifierExtension.create(rootKeys.publicKey),
    ],
  });
  const intermediate = await x509.X509CertificateGenerator.create({
    serialNumber: drawSerial(),
    subject: [{ CN: [`Ares Issuing ${tag}`] }],
    issuer: root.subjectName,
    notBefore,
    notAfter: new Date(now + INTERMEDIATE_YEARS * YEAR_MS),
    publicKey: intermediateKeys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      usage,
      await x509.SubjectKeyIdentifierExtension.create(intermediateKeys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(rootKeys.publicKey),
    ],
  });
  return {
    version: 1,
    root: {
      certificate: root.toString('pem'),
      sealedKey: await sealKey(rootKeys.privateKey, 'root', secrets),
    },
    intermediate: {
      certificate: intermediate.toString('pem'),
      sealedKey: await sealKey(intermediateKeys.privateKey, 'intermediate', secrets),
    },
  };
}

async function openAuthority(path: string, text: string, secrets: SecretStore): Promise<AuthorityKeys> {
  let file: AuthorityFile;
  let certificates: Record<'root' | 'intermediate', x509.X509Certificate>;
  try {
    file = JSON.parse(text) as AuthorityFile;
    certificates = {
      root: new x509.X509Certificate(file.root.certificate),
      intermediate: new x509.X509Certificate(file.intermediate.certificate),
    };
  } catch (cause) {
    throw damaged(path, 'it cannot be read', cause);
  }
  const { root, intermediate } = certificates;
  const chained =
    (await root.isSelfSigned()) && (await intermediate.verify({ publicKey: root, signatureOnly: true }));
  if (!chained) throw damaged(path, 'its intermediate certificate is not signed by its root');
  return {
    root: { certificate: root, key: await openKey(path, 'root', file.root.sealedKey, root, secrets) },
    intermediate: {
      certificate: intermediate,
      key: await openKey(path, 'intermediate', file.intermediate.sealedKey, intermediate, secrets),
    },
    pem: { root: `${root.toString('pem')}\n`, intermediate: `${intermediate.toString('pem')}\n` },
  };
}

async function sealKey(key: SigningKey, which: string, secrets: SecretStore): Promise<string> {
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', key));
  return Buffer.from(await secrets.seal(pkcs8, sealContext(which))).toString('base64');
}

async function openKey(
  path: string,
  which: string,
  sealed: string,
  certificate: x509.X509Certificate,
  secrets: SecretStore,
): Promise<SigningKey> {
  const pkcs8 = Buffer.from(await secrets.open(Buffer.from(sealed, 'base64'), sealContext(which)));
  const publicKey = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }));
  if (!publicKey.export({ format: 'der', type: 'spki' }).equals(Buffer.from(certificate.publicKey.rawData))) {
    throw damaged(path, `the ${which} key does not belong to the ${which} certificate`);
  }
  return crypto.subtle.importKey('pkcs8', pkcs8, P256, false, ['sign']);
}

function sealContext(which: string): string {
  return `certificate-authority:${which}-key`;
}

/** 128 random bits; the first byte is 40 to 7f, so that the number is positive and its hex has one form. */
export function drawSerial(): string {
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial.toString('hex');
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function damaged(path: string, why: string, cause?: unknown): CertificateAuthorityError {
  return new CertificateAuthorityError(
    'AUTHORITY_DAMAGED',
    `The certificate authority in ${path} is damaged: ${why}. Restore it from a backup; a new one would lock out every device.`,
    { cause },
  );
}
