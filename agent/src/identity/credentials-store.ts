import { describeIssues, parseWith } from '@ares/protocol';
import { credentialsAnswerSchema, grantSchema } from '@ares/protocol/http/device';
import * as z from 'zod/mini';
import { readFileIfThere, removeDurableFile, writeDurableFile } from '../store/durable-file.ts';
import type { DevicePaths } from './device-paths.ts';

const storedSchema = z.strictObject({
  v: z.literal(1),
  /** Base URL of the cloud's device API. */
  apiUrl: z.string(),
  /** PKCS#8 PEM of the key that the certificate is for. */
  privateKeyPem: z.string(),
  answer: credentialsAnswerSchema,
});
/** Credentials as they lie on the disk: one file, so that never a part of them is new. */
export type StoredCredentials = z.infer<typeof storedSchema>;

const pendingSchema = z.strictObject({
  v: z.literal(1),
  grant: grantSchema,
  apiUrl: z.string(),
  privateKeyPem: z.string(),
  /** Base64url DER: the same request asks for the same certificate. */
  csr: z.string(),
  claim: z.optional(z.strictObject({ claimId: z.string(), nonce: z.string() })),
  recoveryToken: z.optional(z.string()),
  /** With `recovery`: the new identity key, which replaces the old one only with the answer. */
  identityKeyPem: z.optional(z.string()),
  answer: z.optional(credentialsAnswerSchema),
});
/** A request for credentials, saved before it is sent, so that an answer that was lost is fetched again. */
export type PendingCredentials = z.infer<typeof pendingSchema>;

/** What was found on the disk. `broken` is never thrown: a device heals by grant `identity` or by its owner. */
type Loaded<T> =
  | { readonly kind: 'none' }
  | { readonly kind: 'found'; readonly value: T }
  | { readonly kind: 'broken'; readonly detail: string };

export interface CredentialsStore {
  load(): Loaded<StoredCredentials>;
  loadPending(): Loaded<PendingCredentials>;
  savePending(pending: PendingCredentials): void;
  dropPending(): void;
  /** Makes an answered request the credentials of this device; safe to repeat after a power cut at any point. */
  adopt(pending: PendingCredentials & { readonly answer: NonNullable<PendingCredentials['answer']> }): void;
  /** Forgets credentials and request. */
  wipe(): void;
}

export function createCredentialsStore(paths: DevicePaths): CredentialsStore {
  return {
    load: () => read(paths.credentials, storedSchema),
    loadPending: () => read(paths.pendingCredentials, pendingSchema),
    savePending: (pending) => writeDurableFile(paths.pendingCredentials, JSON.stringify(pending)),
    dropPending: () => removeDurableFile(paths.pendingCredentials),
    adopt(pending) {
      // The request stays until all is written, so that the start after a power cut adopts it again.
      if (pending.identityKeyPem !== undefined) writeDurableFile(paths.identityKey, pending.identityKeyPem);
      const { apiUrl, privateKeyPem, answer } = pending;
      const stored: StoredCredentials = { v: 1, apiUrl, privateKeyPem, answer };
      writeDurableFile(paths.credentials, JSON.stringify(stored));
      removeDurableFile(paths.pendingCredentials);
    },
    wipe() {
      removeDurableFile(paths.pendingCredentials);
      removeDurableFile(paths.credentials);
    },
  };
}

function read<S extends z.core.$ZodType>(path: string, schema: S): Loaded<z.core.output<S>> {
  let value: unknown;
  try {
    const text = readFileIfThere(path);
    if (text === undefined) return { kind: 'none' };
    value = JSON.parse(text);
  } catch (cause) {
    return {
      kind: 'broken',
      detail: `${path}: ${cause instanceof SyntaxError ? 'is not JSON' : String(cause)}`,
    };
  }
  const parsed = parseWith(schema, value);
  return parsed.ok
    ? { kind: 'found', value: parsed.value }
    : { kind: 'broken', detail: `${path}: ${describeIssues(parsed.issues)}` };
}
