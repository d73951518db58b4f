import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, chown, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateAuthority } from '../ports/certificate-authority.ts';
import type { Clock } from '../ports/clock.ts';

const DAY_MS = 86_400_000;
/** Made anew when less than this is left, so that a start now and then is enough. */
const RENEW_BEFORE_MS = 60 * DAY_MS;
const VALIDITY_MS = 397 * DAY_MS;

/** A server beside the cloud that needs a certificate: database, state store, reverse proxy. */
export interface ServerFiles {
  /** Name of its folder. */
  readonly name: string;
  /** Host names and addresses by which it is reached. */
  readonly hosts: readonly string[];
  /** User and group that alone may read its key; absent: whoever runs this. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export interface MadeFiles {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly folder: string;
  readonly validUntil: Date;
  readonly what: 'made' | 'kept';
}

/**
 * Writes `<folder>/<name>/{server.pem,server.key,ca.pem}` for each server: its certificate with the intermediate, its
 * key (0600), and both CA certificates for who trusts it. Files that are good for two more months and name the same
 * hosts are kept, so it may run before each start. Only these files get owners and modes, never a folder of the server.
 */
export async function makeServerFiles(
  ports: {
    readonly authority: CertificateAuthority;
    readonly clock: Clock;
    readonly write: (path: string, content: string) => Promise<void>;
  },
  folder: string,
  servers: readonly ServerFiles[],
): Promise<readonly MadeFiles[]> {
  const { authority, clock, write } = ports;
  const { root, intermediate } = authority.caCertificates;
  const made: MadeFiles[] = [];
  for (const { name, hosts, owner } of servers) {
    const place = join(folder, name);
    await mkdir(place, { recursive: true });
    const file = (name: string) => join(place, name);
    const found = await goodUntil(place, hosts, root, clock.now());
    let validUntil = found;
    if (validUntil === undefined) {
      const signed = await authority.signServer({ names: hosts, validityMs: VALIDITY_MS });
      // The certificate last: where it is, its key is there too.
      await write(file('ca.pem'), `${root.trim()}\n${intermediate.trim()}\n`);
      await write(file('server.key'), signed.keyPem);
      await write(file('server.pem'), signed.chainPem);
      validUntil = signed.notAfter;
    }
    for (const [name, mode] of [
      ['ca.pem', 0o644],
      ['server.key', 0o600],
      ['server.pem', 0o644],
    ] as const) {
      if (owner !== undefined) await chown(file(name), owner.uid, owner.gid);
      await chmod(file(name), mode);
    }
    made.push({ name, hosts, folder: place, validUntil, what: found === undefined ? 'made' : 'kept' });
  }
  return made;
}

/** Removes what {@link makeServerFiles} wrote for these servers. The authority itself stays. */
export async function clearServerFiles(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names)
    for (const file of ['ca.pem', 'server.key', 'server.pem'])
      await rm(join(folder, name, file), { force: true });
}

/** Until when the files that are there serve; `undefined` when they must be made. */
async function goodUntil(
  place: string,
  hosts: readonly string[],
  root: string,
  now: number,
): Promise<Date | undefined> {
  try {
    const [chain, key, ca] = await Promise.all(
      ['server.pem', 'server.key', 'ca.pem'].map((name) => readFile(join(place, name), 'utf8')),
    );
    const certificate = new X509Certificate(chain!);
    const until = certificate.validToDate;
    const names = (certificate.subjectAltName ?? '').split(', ').map((text) => text.replace(/^[^:]*:/, ''));
    const isSame = names.length === hosts.length && hosts.every((host) => names.includes(host));
    return isSame &&
      ca!.includes(root.trim()) &&
      certificate.checkPrivateKey(createPrivateKey(key!)) &&
      until.getTime() - now > RENEW_BEFORE_MS
      ? until
      : undefined;
  } catch {
    return undefined;
  }
}
