import { sql } from 'kysely';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { MailKind, WaitingMail } from './types.ts';

const MINUTE_MS = 60_000;
/** Who asked for a code asks again sooner than that. */
const CODE_KEPT_MS = 60 * MINUTE_MS;
const KEPT_MS = 3 * 1_440 * MINUTE_MS;
/** A process that died while it sent is believed dead after that. */
const SENDING_MS = 5 * MINUTE_MS;

export interface MailQueue {
  /** Leaves a mail with the transaction of what it is about: both are there or neither. */
  put(
    queries: Queries,
    mail: { kind: MailKind; email: string; detail?: Readonly<Record<string, string>> },
  ): Promise<void>;
}

export function createMailQueue(ports: {
  readonly database: Pick<CloudDatabase, 'notify'>;
  readonly clock: Clock;
  readonly newUuid: () => string;
}): MailQueue {
  const { database, clock, newUuid } = ports;
  return {
    async put(queries, { kind, email, detail = {} }) {
      const at = clock.now();
      await queries
        .insertInto('mails')
        .values({
          id: newUuid(),
          kind,
          email,
          detail: JSON.stringify(detail),
          created_at: new Date(at),
          due_at: new Date(at),
          give_up_at: new Date(at + (kind === 'reset-password' ? CODE_KEPT_MS : KEPT_MS)),
        })
        .execute();
      await database.notify(queries, 'mail', {});
    },
  };
}

/** What the postman does with the queue. */
export const mailRepository = {
  /** Takes mails that are due; nobody else gets them meanwhile. */
  async take(queries: Queries, now: Date, limit: number): Promise<readonly WaitingMail[]> {
    const rows = await queries
      .updateTable('mails')
      .set({ due_at: new Date(now.getTime() + SENDING_MS), attempts: sql`attempts + 1` })
      .where('id', 'in', (from) =>
        from
          .selectFrom('mails')
          .select('id')
          .where('due_at', '<=', now)
          .orderBy('due_at')
          .limit(limit)
          .forUpdate()
          .skipLocked(),
      )
      .returning(['id', 'kind', 'email', 'detail', 'attempts', 'give_up_at'])
      .execute();
    return rows.map(({ give_up_at: giveUpAt, ...row }) => ({ ...row, kind: row.kind as MailKind, giveUpAt }));
  },

  async putBack(queries: Queries, id: string, dueAt: Date): Promise<void> {
    await queries.updateTable('mails').set({ due_at: dueAt }).where('id', '=', id).execute();
  },

  async remove(queries: Queries, id: string): Promise<void> {
    await queries.deleteFrom('mails').where('id', '=', id).execute();
  },
};
