import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { calculateJwkThumbprint } from 'jose';
import {
  assertSecretName,
  type PublicSigningJwk,
  type SecretStore,
  SecretStoreError,
  type SigningKeyPair,
} from '../ports/secret-store.ts';
import { createDurably, hasCode, preparePrivateFolder, removeDurably, writeDurably } from './durable-file.ts';

export type FileSecretStoreConfig = {
  /** The store's own folder, made when missing (0700). */
  readonly dir: string;
  /** The key-encryption key: 32 bytes as base64url in a file of mode 0600. Default: in `dir`. Keep a copy of it elsewhere. */
  readonly keyFile?: string;
};

/** First byte of everything sealed, so that a later form can be told apart. */
const FORMAT = 1;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + KEY_ID_BYTES;
const LABEL = 'ARES-SEAL-V1\n';

const SEALED_FILE = '.sealed';
/** A sealed constant: proof that this store has sealed before, and with which key. */
const KEY_CHECK = 'key-check';

type Kek = { readonly key: KeyObject; readonly id: Buffer };

/**
 * Opens the store of a folder, or makes a new one. A key is drawn only for a folder in which nothing was ever
 * sealed: a missing key with sealed data beside it is refused, as a new one could never open them.
 * @throws {SecretStoreError} KEY_MISSING, KEY_MISMATCH, KEY_DAMAGED, KEY_EXPOSED, UNAVAILABLE
 */
export async function openFileSecretStore(config: FileSecretStoreConfig): Promise<SecretStore> {
  const { dir, keyFile = join(dir, 'key-encryption-key') } = config;
  return reachable(dir, async () => {
    await preparePrivateFolder(dir);
    const kek = await loadKey(dir, keyFile);
    const store = new FileSecretStore(dir, kek);
    if (!(await store.create(KEY_CHECK, Buffer.from(KEY_CHECK)))) await store.get(KEY_CHECK);
    return store;
  });
}

class FileSecretStore implements SecretStore {
  readonly #dir: string;
  readonly #kek: Kek;

  constructor(dir: string, kek: Kek) {
    this.#dir = dir;
    this.#kek = kek;
  }

  async seal(plaintext: Uint8Array, context: string): Promise<Uint8Array> {
    // 96 random bits per message: safe for 2^32 messages under one key (NIST SP 800-38D, 8.3).
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#kek.key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(LABEL + context));
    const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    return Buffer.concat([Buffer.of(FORMAT), this.#kek.id, nonce, body, cipher.getAuthTag()]);
  }

  async open(sealed: Uint8Array, context: string): Promise<Uint8Array> {
    const bytes = Buffer.from(sealed);
    if (bytes.length < HEAD_BYTES + NONCE_BYTES + TAG_BYTES || bytes[0] !== FORMAT) throw damaged(context);
    if (!bytes.subarray(1, HEAD_BYTES).equals(this.#kek.id)) {
      throw new SecretStoreError(
        'KEY_MISMATCH',
        `The sealed value of "${context}" was made with another key-encryption key. Put that key back.`,
      );
    }
    const nonce = bytes.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.#kek.key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(LABEL + context));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([
        decipher.update(bytes.subarray(HEAD_BYTES + NONCE_BYTES, -TAG_BYTES)),
        decipher.final(),
      ]);
    } catch (cause) {
      throw damaged(context, cause);
    }
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const path = this.#path(name);
    const sealed = await reachable(this.#dir, () => readIfThere(path));
    return sealed && this.open(sealed, contextOf(name));
  }

  async put(name: string, value: Uint8Array): Promise<void> {
    const path = this.#path(name);
    const sealed = await this.seal(value, contextOf(name));
    await reachable(this.#dir, () => writeDurably(path, sealed));
  }

  async create(name: string, value: Uint8Array): Promise<boolean> {
    const path = this.#path(name);
    const sealed = await this.seal(value, contextOf(name));
    return reachable(this.#dir, () => createDurably(path, sealed));
  }

  async delete(name: string): Promise<void> {
    const path = this.#path(name);
    await reachable(this.#dir, () => removeDurably(path));
  }

  async keyPair(name: string): Promise<SigningKeyPair> {
    const file = `keypair-${name}`;
    const known = await this.get(file);
    if (known) return describeKeyPair(known);
    const drawn = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    await this.create(file, Buffer.from(JSON.stringify({ x: drawn.x, d: drawn.d })));
    // Another process may have been first: what the store holds now is what counts.
    return this.keyPair(name);
  }

  #path(name: string): string {
    assertSecretName(name);
    return join(this.#dir, name + SEALED_FILE);
  }
}

async function describeKeyPair(stored: Uint8Array): Promise<SigningKeyPair> {
  const { x, d } = JSON.parse(Buffer.from(stored).toString('utf8')) as { x: string; d: string };
  const kid = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x });
  const publicJwk: PublicSigningJwk = { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' };
  return { kid, publicJwk, privateJwk: { ...publicJwk, d } };
}

async function loadKey(dir: string, keyFile: string): Promise<Kek> {
  const found = await readIfThere(keyFile);
  if (found) {
    await assertPrivate(keyFile);
    return parseKey(found, keyFile);
  }
  if ((await readdir(dir)).some((name) => name.endsWith(SEALED_FILE))) {
    throw new SecretStoreError(
      'KEY_MISSING',
      `${dir} holds sealed secrets, but the key that opens them is missing: restore ${keyFile} from your copy. Without it these secrets are lost for ever; to begin again with none, move the whole state folder away.`,
    );
  }
  await createDurably(keyFile, `${randomBytes(32).toString('base64url')}\n`);
  // Another process may have been first: what stands in the file now is what counts.
  return parseKey(await readFile(keyFile), keyFile);
}

function parseKey(content: Buffer, keyFile: string): Kek {
  const text = content.toString('latin1').trim();
  const raw = Buffer.from(text, 'base64url');
  if (raw.length !== 32 || raw.toString('base64url') !== text) {
    throw new SecretStoreError(
      'KEY_DAMAGED',
      `${keyFile} is not a key-encryption key (32 bytes as base64url): restore it from your copy.`,
    );
  }
  const id = Buffer.from(hkdfSync('sha256', raw, '', 'ares key-encryption key id', KEY_ID_BYTES));
  return { key: createSecretKey(raw), id };
}

async function assertPrivate(keyFile: string): Promise<void> {
  const { mode } = await stat(keyFile);
  if ((mode & 0o077) === 0) return;
  throw new SecretStoreError(
    'KEY_EXPOSED',
    `${keyFile} can be read by other users of this machine (mode ${(mode & 0o777).toString(8)}). If nobody has read it: chmod 600 ${keyFile}`,
  );
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** A file cannot be moved to another name: the name is part of what is authenticated. */
function contextOf(name: string): string {
  return `secret:${name}`;
}

function damaged(context: string, cause?: unknown): SecretStoreError {
  return new SecretStoreError(
    'SEALED_DAMAGED',
    `The sealed value of "${context}" was altered, or belongs to another place. Restore it from a backup.`,
    { cause },
  );
}

async function reachable<Result>(dir: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof SecretStoreError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SecretStoreError('UNAVAILABLE', `The secrets in ${dir} cannot be read or written: ${reason}`, {
      cause,
    });
  }
}
