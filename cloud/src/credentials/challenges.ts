import { createHash } from 'node:crypto';
import { ProblemError } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { RandomBytes } from '../ports/random.ts';

/** How long a nonce may be used, in ms. Claims live as long. */
export const NONCE_LIFETIME_MS = 600_000;
const NONCE_BYTES = 32;

/** Draws a nonce; only its SHA-256 is ever stored. */
export function drawNonce(random: RandomBytes): { readonly nonce: string; readonly hash: Buffer } {
  const nonce = random(NONCE_BYTES).toString('base64url');
  return { nonce, hash: hashNonce(nonce) };
}

export function hashNonce(nonce: string): Buffer {
  return createHash('sha256').update(nonce).digest();
}

/** Nonces for everything that a device signs, except a claim. */
export interface Challenges {
  /** The same for devices that exist and for others: the answer tells nobody which UUIDs are registered. */
  issue(deviceUuid: string): Promise<{ readonly nonce: string; readonly expiresAt: string }>;
}

export function createChallenges(options: {
  readonly database: CloudDatabase;
  readonly clock: Clock;
  readonly random: RandomBytes;
}): Challenges {
  const { database, clock, random } = options;
  return {
    async issue(deviceUuid) {
      const { nonce, hash } = drawNonce(random);
      const expiresAt = new Date(clock.now() + NONCE_LIFETIME_MS);
      await database.db
        .insertInto('challenges')
        .values({ nonce_hash: hash, device_uuid: deviceUuid, expires_at: expiresAt })
        .execute();
      return { nonce, expiresAt: expiresAt.toISOString() };
    },
  };
}

/**
 * Uses a nonce up, in the transaction of what it is used for.
 * @throws {ProblemError} NONCE_UNKNOWN (never given to this device, or used), NONCE_EXPIRED
 */
export async function useChallenge(
  queries: Queries,
  options: { readonly nonce: string; readonly deviceUuid: string; readonly nowMs: number },
): Promise<void> {
  const { deviceUuid, nowMs } = options;
  const hash = hashNonce(options.nonce);
  const used = await queries
    .updateTable('challenges')
    .set({ used_at: new Date(nowMs) })
    .where('nonce_hash', '=', hash)
    .where('device_uuid', '=', deviceUuid)
    .where('used_at', 'is', null)
    .where('expires_at', '>', new Date(nowMs))
    .returning('nonce_hash')
    .executeTakeFirst();
  if (used !== undefined) return;
  const known = await queries
    .selectFrom('challenges')
    .select('used_at')
    .where('nonce_hash', '=', hash)
    .where('device_uuid', '=', deviceUuid)
    .executeTakeFirst();
  if (known === undefined || known.used_at !== null) {
    throw new ProblemError(
      'NONCE_UNKNOWN',
      'The nonce was not given to this device or was used already: ask for a new one.',
    );
  }
  throw new ProblemError('NONCE_EXPIRED', 'The nonce is older than ten minutes: ask for a new one.');
}
