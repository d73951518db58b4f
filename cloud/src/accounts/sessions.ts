import { createHash } from 'node:crypto';
import { ProblemError } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { RandomBytes } from '../ports/random.ts';
import type { AccessTokens } from './access-tokens.ts';
import { sessionRepository } from './session-repository.ts';

const TOKEN_BYTES = 32;
const DAY_MS = 86_400_000;
/** An unused session ends after that. */
const IDLE_MS = 30 * DAY_MS;
/** And each one after that, used or not. */
const LONGEST_MS = 365 * DAY_MS;
/** An answer may get lost: so long the token before it is taken again, while no answer to it was used. */
const LOST_ANSWER_MS = 30_000;
const MOST_ANSWERS = 3;

/** What a client holds of its session. */
export interface SessionTokens {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  /** Opaque, for one use. */
  readonly refreshToken: string;
  readonly refreshExpiresInSeconds: number;
}

export type EndReason =
  | 'account-deleted'
  | 'password-changed'
  | 'password-reset'
  | 'refresh-token-reused'
  | 'signed-out'
  | 'suspended';

export interface Sessions {
  open(queries: Queries, user: { userId: number; userUuid: string }): Promise<SessionTokens>;
  /**
   * Exchanges a refresh token. One that was exchanged before ends the whole session: either its holder or whoever
   * shows it now is a thief. @throws {ProblemError} TOKEN_INVALID
   */
  refresh(refreshToken: string, source: string): Promise<SessionTokens & { readonly userUuid: string }>;
  /** Ends the session of a refresh token of any age; one that is unknown changes nothing. */
  signOut(refreshToken: string, source: string): Promise<void>;
  /** Ends all sessions of a user with the transaction, but one. */
  endAll(queries: Queries, userId: number, reason: EndReason, except?: string): Promise<number>;
}

export function createSessions(ports: {
  readonly database: CloudDatabase;
  readonly tokens: AccessTokens;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly newUuid: () => string;
}): Sessions {
  const { database, tokens, clock, random, newUuid } = ports;

  const drawToken = () => {
    const refreshToken = random(TOKEN_BYTES).toString('base64url');
    return { refreshToken, tokenHash: hashOf(refreshToken) };
  };
  const answer = async (
    user: { userUuid: string },
    session: { id: string; expiresAt: Date; refreshToken: string },
  ): Promise<SessionTokens> => ({
    ...(await tokens.issue(user.userUuid, session.id)),
    refreshToken: session.refreshToken,
    refreshExpiresInSeconds: Math.floor((session.expiresAt.getTime() - clock.now()) / 1_000),
  });
  const end = async (
    queries: Queries,
    which: { userId: number; only?: string; except?: string },
    reason: EndReason,
  ): Promise<number> => {
    const ended = await sessionRepository.end(queries, which, { reason, at: new Date(clock.now()) });
    if (ended > 0) await database.notify(queries, 'userSessions', { userId: which.userId });
    return ended;
  };

  return {
    async open(queries, { userId, userUuid }) {
      const { refreshToken, tokenHash } = drawToken();
      const at = new Date(clock.now());
      const expiresAt = new Date(at.getTime() + IDLE_MS);
      const id = newUuid();
      await sessionRepository.open(queries, { id, userId, tokenHash, at, expiresAt });
      return answer({ userUuid }, { id, expiresAt, refreshToken });
    },

    async refresh(shown, source) {
      const outcome = await database.db.transaction().execute(async (trx) => {
        const shownHash = hashOf(shown);
        const found = await sessionRepository.lockByToken(trx, shownHash);
        const now = clock.now();
        if (found === undefined) return undefined;
        const { session, token } = found;
        if (session.ended_at !== null || session.expires_at.getTime() <= now) return undefined;
        const user = { userId: session.user_id, userUuid: session.user_uuid };
        if (token.state === 'FRESH') {
          await sessionRepository.takeToken(trx, {
            tokenHash: shownHash,
            parentHash: token.parent_hash,
            at: new Date(now),
          });
        } else if (!(await mayRepeat(trx, shownHash, token, now))) {
          await end(trx, { userId: user.userId, only: session.id }, 'refresh-token-reused');
          await writeAudit(trx, {
            actorUserId: null,
            action: 'session.reuse',
            objectType: 'user',
            objectId: user.userUuid,
            detail: { sessionId: session.id },
            source,
          });
          return undefined;
        }
        const { refreshToken, tokenHash } = drawToken();
        const expiresAt = new Date(Math.min(now + IDLE_MS, session.created_at.getTime() + LONGEST_MS));
        await sessionRepository.renew(trx, {
          sessionId: session.id,
          tokenHash,
          parentHash: shownHash,
          at: new Date(now),
          expiresAt,
        });
        return { user, id: session.id, expiresAt, refreshToken };
      });
      if (outcome === undefined) {
        throw new ProblemError('TOKEN_INVALID', 'The session has ended: sign in again.');
      }
      return { ...(await answer(outcome.user, outcome)), userUuid: outcome.user.userUuid };
    },

    async signOut(shown, source) {
      await database.db.transaction().execute(async (trx) => {
        const found = await sessionRepository.lockByToken(trx, hashOf(shown));
        if (found === undefined) return;
        const { id, user_id: userId, user_uuid: objectId } = found.session;
        if ((await end(trx, { userId, only: id }, 'signed-out')) === 0) return;
        const action = 'session.sign-out';
        await writeAudit(trx, { actorUserId: userId, action, objectType: 'user', objectId, source });
      });
    },

    endAll: (queries, userId, reason, except) =>
      end(queries, { userId, ...(except !== undefined && { except }) }, reason),
  };
}

/**
 * Whether a used token may be answered once more, as its answer seems to be lost. Of all answers only one can go
 * on: using one ends the others, so a thief who took part is found out at the next use, as ever.
 */
async function mayRepeat(
  queries: Queries,
  tokenHash: Buffer,
  token: { state: string; used_at: Date | null },
  now: number,
): Promise<boolean> {
  if (token.state !== 'USED' || token.used_at === null) return false;
  if (token.used_at.getTime() + LOST_ANSWER_MS <= now) return false;
  const answers = await sessionRepository.childrenOf(queries, tokenHash);
  return answers.length < MOST_ANSWERS && answers.every((state) => state === 'FRESH');
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
