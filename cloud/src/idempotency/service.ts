import { createHash, timingSafeEqual } from 'node:crypto';
import { ProblemError } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { SecretStore } from '../ports/secret-store.ts';

/** How long an answer can be asked for again. */
export const IDEMPOTENCY_KEPT_MS = 86_400_000;

/** A request that its sender may send again without doing it twice. */
export interface RepeatableRequest {
  readonly userId: number;
  /** `Idempotency-Key` of the client: 1 to 255 printable ASCII characters. */
  readonly key: string;
  /** Everything that says what is asked: route, parameters, query and body. */
  readonly asked: unknown;
}

/** An answer without its stream. */
export interface RepeatableAnswer {
  readonly status: number;
  readonly body?: unknown;
  /** Version of the entity, for its ETag. */
  readonly version?: number;
}

export interface Idempotency {
  /**
   * Does the work once for each user and key, and gives the same answer again for a day. What failed with a problem
   * changed nothing and may be tried again; what ended otherwise, by a crash for instance, is never done again.
   * @throws {ProblemError} IDEMPOTENCY_KEY_REUSED, CONFLICT (still being served, or nobody knows), and what `work` throws
   */
  once(
    request: RepeatableRequest,
    work: () => Promise<RepeatableAnswer>,
  ): Promise<RepeatableAnswer & { readonly repeated: boolean }>;
}

export function createIdempotency(ports: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly secrets: Pick<SecretStore, 'seal' | 'open'>;
  readonly clock: Clock;
}): Idempotency {
  const { secrets, clock } = ports;
  const { db } = ports.database;

  return {
    async once(request, work) {
      if (!/^[\x21-\x7e]{1,255}$/.test(request.key))
        throw new ProblemError(
          'INVALID_REQUEST',
          'Idempotency-Key must be 1 to 255 printable ASCII characters; a random UUID is best.',
        );
      const fingerprint = createHash('sha256').update(JSON.stringify(request.asked)).digest();
      if (!(await begin(request, fingerprint)))
        return { ...(await answerOf(request, fingerprint)), repeated: true };
      const answer = await work().catch(async (error: unknown) => {
        if (error instanceof ProblemError) await forget(db, request);
        throw error;
      });
      const sealed = await secrets.seal(Buffer.from(JSON.stringify(answer)), contextOf(request));
      await rowOf(db, request)
        .set({ status: answer.status, sealed_answer: Buffer.from(sealed) })
        .execute();
      return { ...answer, repeated: false };
    },
  };

  /** `false` when the key is known. */
  async function begin(request: RepeatableRequest, fingerprint: Buffer): Promise<boolean> {
    const { userId, key } = request;
    // Sealed too: what is asked may hold a password, and its bare hash would show every guess right or wrong.
    const sealed = Buffer.from(await secrets.seal(fingerprint, askedContextOf(request)));
    const row = { user_id: userId, key, fingerprint: sealed, created_at: new Date(clock.now()) };
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('idempotency_keys')
      .values({ ...row, status: null, sealed_answer: null })
      .onConflict((conflict) => conflict.columns(['user_id', 'key']).doNothing())
      .executeTakeFirst();
    return numInsertedOrUpdatedRows === 1n;
  }

  async function answerOf(request: RepeatableRequest, fingerprint: Buffer): Promise<RepeatableAnswer> {
    const row = await db
      .selectFrom('idempotency_keys')
      .selectAll()
      .where('user_id', '=', request.userId)
      .where('key', '=', request.key)
      .executeTakeFirst();
    if (row !== undefined && !(await isSame(row.fingerprint, request, fingerprint)))
      throw new ProblemError(
        'IDEMPOTENCY_KEY_REUSED',
        'This Idempotency-Key came with another request before: draw a new one for each thing to do.',
      );
    if (row?.sealed_answer == null)
      throw new ProblemError(
        'CONFLICT',
        'A request with this Idempotency-Key is being served, or was cut off: look whether it was done before you ' +
          'ask with a new key.',
        { retryAfterSeconds: 1 },
      );
    const answer = await secrets.open(row.sealed_answer, contextOf(request));
    return JSON.parse(Buffer.from(answer).toString('utf8')) as RepeatableAnswer;
  }

  async function isSame(sealed: Buffer, request: RepeatableRequest, fingerprint: Buffer): Promise<boolean> {
    const asked = await secrets.open(sealed, askedContextOf(request));
    return asked.length === fingerprint.length && timingSafeEqual(asked, fingerprint);
  }
}

/** Removes answers from before the time. */
export async function removeOldAnswers(queries: Queries, before: Date): Promise<void> {
  await queries.deleteFrom('idempotency_keys').where('created_at', '<', before).execute();
}

function rowOf(queries: Queries, { userId, key }: RepeatableRequest) {
  return queries.updateTable('idempotency_keys').where('user_id', '=', userId).where('key', '=', key);
}

async function forget(queries: Queries, { userId, key }: RepeatableRequest): Promise<void> {
  await queries
    .deleteFrom('idempotency_keys')
    .where('user_id', '=', userId)
    .where('key', '=', key)
    .where('status', 'is', null)
    .execute();
}

const askedContextOf = ({ userId, key }: RepeatableRequest) => `idempotency-asked:${userId}:${key}`;
const contextOf = ({ userId, key }: RepeatableRequest) => `idempotency:${userId}:${key}`;
