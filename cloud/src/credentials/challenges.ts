import { createHash, createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { ProblemError } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { Queries } from '../ports/database.ts';
import type { RandomBytes } from '../ports/random.ts';

/** How long a nonce may be used, in ms. Claims live as long. */
export const NONCE_LIFETIME_MS = 600_000;
const NONCE_BYTES = 32;
const LABEL = 'ARES-CHALLENGE-V1\n';
const TIME_BYTES = 6;
const RANDOM_BYTES = 10;
const MAC_BYTES = NONCE_BYTES - TIME_BYTES - RANDOM_BYTES;

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
  /**
   * The same for devices that exist and for others: the answer tells nobody which UUIDs are registered. Nothing is
   * stored, so whoever asks a million times fills no table.
   */
  issue(deviceUuid: string): { readonly nonce: string; readonly expiresAt: string };
  /**
   * Uses a nonce up, in the transaction of what it is used for.
   * @throws {ProblemError} NONCE_UNKNOWN (never given to this device, or used), NONCE_EXPIRED
   */
  use(
    queries: Queries,
    challenge: { readonly nonce: string; readonly deviceUuid: string; readonly nowMs: number },
  ): Promise<void>;
}

/**
 * A nonce is its end, random bytes, and a MAC over both and the device: any replica knows its own again.
 * @param options.key 32 secret bytes, the same in every process of the cloud
 */
export function createChallenges(options: {
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly random: RandomBytes;
}): Challenges {
  const { clock, random } = options;
  const key = createSecretKey(options.key);
  const macOf = (head: Buffer, deviceUuid: string) =>
    createHmac('sha256', key).update(`${LABEL}${deviceUuid}\n`).update(head).digest().subarray(0, MAC_BYTES);

  return {
    issue(deviceUuid) {
      const endsAt = clock.now() + NONCE_LIFETIME_MS;
      const head = Buffer.concat([Buffer.alloc(TIME_BYTES), random(RANDOM_BYTES)]);
      head.writeUIntBE(endsAt, 0, TIME_BYTES);
      const nonce = Buffer.concat([head, macOf(head, deviceUuid)]).toString('base64url');
      return { nonce, expiresAt: new Date(endsAt).toISOString() };
    },

    async use(queries, { nonce, deviceUuid, nowMs }) {
      const bytes = Buffer.from(nonce, 'base64url');
      const head = bytes.subarray(0, TIME_BYTES + RANDOM_BYTES);
      const mac = bytes.subarray(head.length);
      // One spelling only: another one of the same bytes would be another row, and so a second use.
      const isOurs =
        bytes.length === NONCE_BYTES &&
        bytes.toString('base64url') === nonce &&
        timingSafeEqual(mac, macOf(head, deviceUuid));
      if (!isOurs) throw unknown();
      const endsAt = head.readUIntBE(0, TIME_BYTES);
      if (endsAt <= nowMs) {
        throw new ProblemError('NONCE_EXPIRED', 'The nonce is older than ten minutes: ask for a new one.');
      }
      const used = await queries
        .insertInto('challenges')
        .values({
          nonce_hash: hashNonce(nonce),
          device_uuid: deviceUuid,
          expires_at: new Date(endsAt),
          used_at: new Date(nowMs),
        })
        .onConflict((conflict) => conflict.doNothing())
        .returning('nonce_hash')
        .executeTakeFirst();
      if (used === undefined) throw unknown();
    },
  };
}

const unknown = () =>
  new ProblemError(
    'NONCE_UNKNOWN',
    'The nonce was not given to this device or was used already: ask for a new one.',
  );
