import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import {
  type CaCertificates,
  type CertificateAuthority,
  CertificateAuthorityError,
  type CheckedCsr,
  type DeviceCertificateRequest,
  type IssuedCertificate,
  type IssuedKeyAndCertificate,
  type RevocationReason,
  type RevokedCertificate,
  type ServerCertificateRequest,
  type ServiceCertificateRequest,
} from '../ports/certificate-authority.ts';
import type { Clock } from '../ports/clock.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import { checkCsr } from './certificate-request.ts';
import { hasCode, writeDurably } from './durable-file.ts';
import {
  type AuthorityKeys,
  drawSerial,
  loadAuthority,
  P256,
  type Signer,
} from './local-certificate-authority-files.ts';

export type LocalCertificateAuthorityOptions = {
  readonly secrets: SecretStore;
  readonly clock: Clock;
  /** `dir`: the authority's own folder, made when missing (0700). */
  readonly config: { readonly dir: string };
};

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SERVICE = /^ares-[a-z][a-z0-9-]{0,40}$/;
const HOST = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const SERIAL = /^(?!00)[0-7][0-9a-f](?:[0-9a-f]{2}){7,19}$/;

/** For clocks that are a little behind (PKI-10). */
const BACKDATE_MS = 5 * 60_000;
const DEFAULT_VALIDITY_MS = 30 * 86_400_000;
/** Long enough that a publisher which is down for a day locks nobody out (PKI-03). */
const CRL_VALIDITY_MS = 72 * 3_600_000;
const CRL_NUMBER_OID = '2.5.29.20';
const LONGEST_CN = 64;

const REASONS: Record<RevocationReason, x509.X509CrlReason> = {
  unspecified: x509.X509CrlReason.unspecified,
  keyCompromise: x509.X509CrlReason.keyCompromise,
  superseded: x509.X509CrlReason.superseded,
  cessationOfOperation: x509.X509CrlReason.cessationOfOperation,
  privilegeWithdrawn: x509.X509CrlReason.privilegeWithdrawn,
};

/**
 * A root and an intermediate CA whose sealed keys lie in one file.
 * @throws {CertificateAuthorityError} AUTHORITY_DAMAGED, UNAVAILABLE
 * @throws {SecretStoreError} when the keys cannot be opened
 */
export async function openLocalCertificateAuthority(
  options: LocalCertificateAuthorityOptions,
): Promise<CertificateAuthority> {
  const { secrets, clock, config } = options;
  const keys = await reachable(config.dir, () => loadAuthority(config.dir, secrets, clock));
  return new LocalCertificateAuthority(keys, clock, config.dir);
}

type Leaf = {
  readonly commonName: string;
  readonly publicKeySpki: Uint8Array;
  readonly validityMs: number;
  readonly usage: x509.ExtendedKeyUsage;
  readonly serial?: string | undefined;
  readonly names?: readonly string[];
};

class LocalCertificateAuthority implements CertificateAuthority {
  readonly caCertificates: CaCertificates;
  readonly #keys: AuthorityKeys;
  readonly #clock: Clock;
  readonly #dir: string;
  #lastCrl: Promise<unknown> = Promise.resolve();

  constructor(keys: AuthorityKeys, clock: Clock, dir: string) {
    this.caCertificates = keys.pem;
    this.#keys = keys;
    this.#clock = clock;
    this.#dir = dir;
  }

  readCsr(csr: Uint8Array): Promise<CheckedCsr> {
    return checkCsr(csr);
  }

  async signDevice(request: DeviceCertificateRequest): Promise<IssuedCertificate> {
    const { commonName, validityMs, serial } = request;
    if (!UUID.test(commonName)) throw invalidName(commonName, 'a UUID in lower case');
    const { publicKeySpki } = await checkCsr(request.csr);
    return this.#sign({
      commonName,
      publicKeySpki,
      validityMs,
      serial,
      usage: x509.ExtendedKeyUsage.clientAuth,
    });
  }

  async signServer(request: ServerCertificateRequest): Promise<IssuedKeyAndCertificate> {
    const names = request.names.map((name) => name.toLowerCase());
    const [first] = names;
    if (first === undefined) throw invalidName('', 'at least one host name or IP address');
    for (const name of names) {
      if (isIP(name) === 0 && !HOST.test(name)) throw invalidName(name, 'a host name or an IP address');
    }
    const commonName = first.length <= LONGEST_CN ? first : 'ares-server';
    const { validityMs = DEFAULT_VALIDITY_MS } = request;
    return this.#signNewKey({ commonName, names, validityMs, usage: x509.ExtendedKeyUsage.serverAuth });
  }

  async signService(request: ServiceCertificateRequest): Promise<IssuedKeyAndCertificate> {
    const { commonName, validityMs = DEFAULT_VALIDITY_MS } = request;
    if (!SERVICE.test(commonName)) throw invalidName(commonName, '"ares-" and a word in lower case');
    return this.#signNewKey({ commonName, validityMs, usage: x509.ExtendedKeyUsage.clientAuth });
  }

  crls(revoked: readonly RevokedCertificate[]): Promise<readonly string[]> {
    // One after another: two lists must not get one number.
    const made = this.#lastCrl.then(() => this.#makeCrls(revoked));
    this.#lastCrl = made.catch(() => undefined);
    return made;
  }

  async #signNewKey(leaf: Omit<Leaf, 'publicKeySpki'>): Promise<IssuedKeyAndCertificate> {
    const keys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
    const publicKeySpki = new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey));
    const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
    const issued = await this.#sign({ ...leaf, publicKeySpki });
    return { ...issued, keyPem: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n` };
  }

  async #sign(leaf: Leaf): Promise<IssuedCertificate> {
    const { certificate: issuer, key } = this.#keys.intermediate;
    const serial = leaf.serial ?? drawSerial();
    assertSerial(serial);
    const nowMs = Math.floor(this.#clock.now() / 1_000) * 1_000;
    const notBefore = new Date(nowMs - Math.min(BACKDATE_MS, Math.floor(leaf.validityMs / 10_000) * 1_000));
    const notAfter = new Date(nowMs + leaf.validityMs);
    if (!(leaf.validityMs > 0) || !(notAfter <= issuer.notAfter)) {
      throw new CertificateAuthorityError(
        'INVALID_VALIDITY',
        `A validity of ${leaf.validityMs} ms is not possible: it must be positive and end before the authority does (${issuer.notAfter.toISOString()}).`,
      );
    }
    const publicKey = await crypto.subtle.importKey('spki', leaf.publicKeySpki.slice(), P256, true, [
      'verify',
    ]);
    const extensions: x509.Extension[] = [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([leaf.usage], true),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ];
    if (leaf.names) extensions.push(new x509.SubjectAlternativeNameExtension(leaf.names.map(toGeneralName)));
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial,
      subject: [{ CN: [leaf.commonName] }],
      issuer: issuer.subjectName,
      notBefore,
      notAfter,
      publicKey,
      signingKey: key,
      signingAlgorithm: P256,
      extensions,
    });
    return {
      chainPem: `${certificate.toString('pem')}\n${this.caCertificates.intermediate}`,
      leafDer: new Uint8Array(certificate.rawData),
      serial,
      notBefore,
      notAfter,
      publicKeySpki: leaf.publicKeySpki,
    };
  }

  async #makeCrls(revoked: readonly RevokedCertificate[]): Promise<readonly string[]> {
    const bySerial = new Map<string, RevokedCertificate>();
    for (const entry of revoked) {
      assertSerial(entry.serial);
      if (!bySerial.has(entry.serial)) bySerial.set(entry.serial, entry);
    }
    const entries = [...bySerial.values()].map(({ serial, at, reason = 'unspecified' }) => ({
      serialNumber: serial,
      revocationDate: at,
      reason: REASONS[reason],
    }));
    const nowMs = Math.floor(this.#clock.now() / 1_000) * 1_000;
    const number = await reachable(this.#dir, () => this.#nextCrlNumber(nowMs));
    const { root, intermediate } = this.#keys;
    return [await signCrl(root, [], nowMs, number), await signCrl(intermediate, entries, nowMs, number)];
  }

  /** Grows for ever (RFC 5280, 5.2.3), also when the clock is set back. */
  async #nextCrlNumber(nowMs: number): Promise<number> {
    const path = join(this.#dir, 'crl-number');
    const last = Number(
      await readFile(path, 'utf8').catch((error: unknown) => {
        if (hasCode(error, 'ENOENT')) return '0';
        throw error;
      }),
    );
    const next = Math.max(Math.floor(nowMs / 1_000), last + 1);
    await writeDurably(path, String(next));
    return next;
  }
}

async function signCrl(
  signer: Signer,
  entries: readonly x509.X509CrlEntryParams[],
  nowMs: number,
  number: number,
): Promise<string> {
  const crl = await x509.X509CrlGenerator.create({
    issuer: signer.certificate.subjectName,
    thisUpdate: new Date(nowMs - BACKDATE_MS),
    nextUpdate: new Date(nowMs + CRL_VALIDITY_MS),
    entries: [...entries],
    signingKey: signer.key,
    signingAlgorithm: P256,
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(signer.certificate.publicKey),
      new x509.Extension(CRL_NUMBER_OID, false, derInteger(number)),
    ],
  });
  // The library's own label, "CRL", is read by neither OpenSSL, Node nor Mosquitto.
  return `${x509.PemConverter.encode(crl.rawData, 'X509 CRL')}\n`;
}

function derInteger(value: number): Buffer<ArrayBuffer> {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  const content = bytes[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
  return Buffer.concat([Buffer.of(0x02, content.length), content]);
}

function toGeneralName(name: string): { type: 'ip' | 'dns'; value: string } {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name };
}

function assertSerial(serial: string): void {
  if (SERIAL.test(serial)) return;
  throw new CertificateAuthorityError(
    'INVALID_SERIAL',
    `"${serial}" is no serial number: 16 to 40 lower-case hex digits, of even number, the first byte 01 to 7f.`,
  );
}

function invalidName(name: string, wanted: string): CertificateAuthorityError {
  return new CertificateAuthorityError(
    'INVALID_NAME',
    `${JSON.stringify(name.slice(0, 100))} cannot be certified: ${wanted} is wanted.`,
  );
}

async function reachable<Result>(dir: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    throw new CertificateAuthorityError(
      'UNAVAILABLE',
      `The certificate authority in ${dir} cannot be read or written: ${cause.message}`,
      { cause },
    );
  }
}
