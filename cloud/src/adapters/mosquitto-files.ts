import { createHmac, pbkdf2Sync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrokerTls } from '../ports/device-broker.ts';
import { createDurably, hasCode, preparePrivateFolder, writeDurably } from './durable-file.ts';
import {
  emptyDynamicSecurity,
  type MosquittoSettings,
  mosquittoConf,
  mosquittoFiles,
} from './mosquitto-conf.ts';

/** Login of a process of the cloud at the listener for services. */
export interface ServiceLogin {
  readonly name: string;
  readonly password: string;
}

/** The files that change while the broker runs, by their name; `undefined` for one that is not there. */
export type ReloadedFiles = Readonly<Record<string, string | undefined>>;

/** Iterations as `mosquitto_passwd` has them: the passwords are 256 random bits. */
const ITERATIONS = 101;

/** Makes the folder and what is written once: an operator's changes of the configuration stay. */
export async function prepareMosquittoFolder(settings: MosquittoSettings): Promise<void> {
  await preparePrivateFolder(settings.folder);
  await createDurably(join(settings.folder, mosquittoFiles.config), mosquittoConf(settings));
  await createDurably(join(settings.folder, mosquittoFiles.dynamicSecurity), emptyDynamicSecurity());
}

/** What the broker reads at SIGHUP. */
export function reloadedFiles(content: {
  readonly tls: BrokerTls;
  readonly deviceAcl: string;
  readonly serviceAcl: string;
  readonly logins: readonly ServiceLogin[];
}): ReloadedFiles {
  const { tls, logins } = content;
  return {
    [mosquittoFiles.key]: tls.keyPem,
    [mosquittoFiles.chain]: tls.chainPem,
    [mosquittoFiles.root]: tls.rootPem,
    [mosquittoFiles.lists]: tls.crls
      .map((pem) => pem.trimEnd())
      .join('\n')
      .concat('\n'),
    [mosquittoFiles.deviceAcl]: content.deviceAcl,
    [mosquittoFiles.serviceAcl]: content.serviceAcl,
    [mosquittoFiles.servicePasswords]: logins.map((login) => `${login.name}:${hashOf(login)}\n`).join(''),
  };
}

export async function readReloaded(folder: string): Promise<ReloadedFiles> {
  const { config: _, pid: __, dynamicSecurity: ___, ...reloaded } = mosquittoFiles;
  const entries = await Promise.all(
    Object.values(reloaded).map(async (name) => [name, await readIfThere(join(folder, name))] as const),
  );
  return Object.fromEntries(entries);
}

/** Replaces each file that differs by a rename. */
export async function writeReloaded(folder: string, files: ReloadedFiles): Promise<void> {
  const present = await readReloaded(folder);
  for (const [name, content] of Object.entries(files))
    if (content !== undefined && content !== present[name]) await writeDurably(join(folder, name), content);
}

/** Process id of the running broker, from the file that it writes. */
export async function readPid(folder: string): Promise<number | undefined> {
  const text = await readIfThere(join(folder, mosquittoFiles.pid));
  const pid = Number(text?.trim());
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  // The number may be another program's by now.
  const program = await readIfThere(`/proc/${pid}/comm`);
  return program?.trim() === 'mosquitto' ? pid : undefined;
}

/** As `mosquitto_passwd` writes it; the salt comes from the password, so that an unchanged file stays as it is. */
function hashOf({ name, password }: ServiceLogin): string {
  const salt = createHmac('sha256', password).update(name).digest().subarray(0, 12);
  const hash = pbkdf2Sync(password, salt, ITERATIONS, 64, 'sha512');
  return `$7$${ITERATIONS}$${salt.toString('base64')}$${hash.toString('base64')}`;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
