import 'reflect-metadata';
import { createPrivateKey, X509Certificate as NodeCertificate } from 'node:crypto';
import { X509Certificate, X509Crl } from '@peculiar/x509';
import type { BrokerTls } from '../ports/device-broker.ts';

/** A certificate or a revocation list that a broker must not be given; the message says which and why. */
export class BrokerFilesError extends Error {
  override readonly name = 'BrokerFilesError';
  readonly code = 'BROKER_FILES_REFUSED';
}

/** A list must outlive a day without its publisher. */
const LIST_LASTS_MS = 86_400_000;
const PEM_LIST = /-----BEGIN X509 CRL-----[\s\S]+?-----END X509 CRL-----/g;

/**
 * Looks at what a listener is about to get. A broker that reads a bad list may let everybody in (Mosquitto up to
 * 2.0.22) or nobody, so it must never see one.
 * @param mustName serial numbers, lower-case hex, that have to be on the list of devices' issuer
 * @throws {BrokerFilesError}
 */
export async function checkBrokerTls(
  tls: BrokerTls,
  { now, mustName }: { readonly now: number; readonly mustName: readonly string[] },
): Promise<void> {
  const root = attempt('the root certificate', () => new X509Certificate(tls.rootPem));
  const [leafPem, ...above] =
    tls.chainPem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (leafPem === undefined) throw new BrokerFilesError('The chain of the server holds no certificate.');
  const leaf = attempt('the certificate of the server', () => new NodeCertificate(leafPem));
  const key = attempt('the key of the server', () => createPrivateKey(tls.keyPem));
  if (!leaf.checkPrivateKey(key))
    throw new BrokerFilesError('The key of the server is not the one of its certificate.');
  if (!(Date.parse(leaf.validTo) > now))
    throw new BrokerFilesError('The certificate of the server has expired.');
  const authorities = [root, ...above.map((pem) => attempt('the chain', () => new X509Certificate(pem)))];
  await checkLists(tls.crls, authorities, now, mustName);
}

async function checkLists(
  crls: readonly string[],
  authorities: readonly X509Certificate[],
  now: number,
  mustName: readonly string[],
): Promise<void> {
  const named = new Set<string>();
  const missing = new Set(authorities.map(({ subject }) => subject));
  for (const pem of crls) {
    // OpenSSL reads no other label, and Mosquitto then goes on without a list.
    if (pem.match(PEM_LIST)?.length !== 1)
      throw new BrokerFilesError('A revocation list is no single "X509 CRL" in PEM.');
    const list = attempt('a revocation list', () => new X509Crl(pem));
    const issuer = authorities.find(({ subject }) => subject === list.issuer);
    if (issuer === undefined)
      throw new BrokerFilesError(`A revocation list is of a stranger: ${list.issuer}.`);
    if (!(await list.verify({ publicKey: issuer }).catch(() => false)))
      throw new BrokerFilesError(`The revocation list of ${list.issuer} is not signed by it.`);
    if (!((list.nextUpdate?.getTime() ?? 0) > now + LIST_LASTS_MS))
      throw new BrokerFilesError(`The revocation list of ${list.issuer} ends within a day.`);
    missing.delete(list.issuer);
    for (const { serialNumber } of list.entries) named.add(plain(serialNumber));
  }
  if (missing.size > 0)
    throw new BrokerFilesError(`There is no revocation list of ${[...missing].join(', ')}.`);
  const absent = mustName.filter((serial) => !named.has(plain(serial)));
  if (absent.length > 0)
    throw new BrokerFilesError(
      `The revocation list leaves out ${absent.length} certificates, ${absent[0]} among them.`,
    );
}

const plain = (serial: string): string => serial.toLowerCase().replace(/^0+/, '');

function attempt<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new BrokerFilesError(
      `Of what the broker is to get, ${what} cannot be read: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}
