import { createHmac, timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import type { CodePurpose } from '../database/schema-accounts.ts';
import type { Clock } from '../ports/clock.ts';
import type { Queries } from '../ports/database.ts';
import type { RandomBytes } from '../ports/random.ts';

const TRIES = 5;
const DIGITS = 6;

/** Six digits that show that somebody reads the mail of an address: for one use, a time, and five tries. */
export interface EmailCodes {
  /** Draws a code; one of before for the same purpose is worth nothing any more. */
  draw(
    queries: Queries,
    code: { userId: number; purpose: CodePurpose; email: string; seconds: number },
  ): Promise<string>;
  /** Counts a try, and takes the code when it fits. Commit also when it does not. */
  redeem(
    queries: Queries,
    shown: { email: string; purposes: readonly CodePurpose[]; code: string },
  ): Promise<{ userId: number; purpose: CodePurpose } | undefined>;
  /** Forgets every code of a user. */
  forget(queries: Queries, userId: number): Promise<void>;
}

/** @param ports.key secret, shared by all processes */
export function createEmailCodes(ports: {
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly random: RandomBytes;
}): EmailCodes {
  const { key, clock, random } = ports;
  const hashOf = (userId: number, purpose: CodePurpose, email: string, code: string) =>
    createHmac('sha256', key).update(`${userId}\n${purpose}\n${email}\n${code}`).digest();

  return {
    async draw(queries, { userId, purpose, email, seconds }) {
      // 64 bits: what is left over of the range makes no digit likelier that anybody could tell.
      const number = random(8).readBigUInt64BE() % 10n ** BigInt(DIGITS);
      const code = String(number).padStart(DIGITS, '0');
      const row = {
        email,
        code_hash: hashOf(userId, purpose, email, code),
        expires_at: new Date(clock.now() + seconds * 1_000),
        tries: 0,
      };
      await queries
        .insertInto('email_codes')
        .values({ user_id: userId, purpose, ...row })
        .onConflict((conflict) => conflict.columns(['user_id', 'purpose']).doUpdateSet(row))
        .execute();
      return code;
    },

    async redeem(queries, { email, purposes, code }) {
      // One statement whether there is such an account or not, so that its time tells nothing.
      const tried = await queries
        .updateTable('email_codes')
        .set({ tries: sql`tries + 1` })
        .where('email', '=', email)
        .where('purpose', 'in', [...purposes])
        .where('tries', '<', TRIES)
        .where('expires_at', '>', new Date(clock.now()))
        .returning(['user_id as userId', 'purpose', 'code_hash as codeHash'])
        .execute();
      const found = tried.find(({ userId, purpose, codeHash }) =>
        timingSafeEqual(codeHash, hashOf(userId, purpose, email, code)),
      );
      if (found === undefined) return undefined;
      const taken = await queries
        .deleteFrom('email_codes')
        .where('user_id', '=', found.userId)
        .where('purpose', '=', found.purpose)
        .where('code_hash', '=', found.codeHash)
        .returning('user_id')
        .executeTakeFirst();
      return taken && { userId: found.userId, purpose: found.purpose };
    },

    async forget(queries, userId) {
      await queries.deleteFrom('email_codes').where('user_id', '=', userId).execute();
    },
  };
}
