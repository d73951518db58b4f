import { ProblemError } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import type { MailQueue } from '../mail/queue.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { ReleaseService } from '../release/service.ts';
import { deletionRepository } from './deletion-repository.ts';
import { accountRepository } from './repository.ts';
import { auditOf } from './service.ts';
import type { Sessions } from './sessions.ts';
import type { SignInGuard } from './sign-in-guard.ts';
import { assertNotLastPrimeAdmin } from './standing-rules.ts';
import type { Caller } from './types.ts';

const SWEEP_MS = 30_000;

/**
 * Deletes accounts. One transaction ends all sessions and lets nobody in any more; then each device is released,
 * which sends its reset order and revokes its certificate; then what is personal is erased. What a crash leaves
 * undone is finished by whichever process comes first.
 */
export interface AccountDeletion {
  /** @throws {ProblemError} BAD_CREDENTIALS, LAST_ADMINISTRATOR, TOO_MANY_REQUESTS */
  deleteOwn(caller: Caller, password: string, source: string): Promise<void>;
  /** Finishes deletions that were begun. @returns how many */
  finish(): Promise<number>;
  start(): void;
  stop(): Promise<void>;
}

export function createAccountDeletion(ports: {
  readonly database: CloudDatabase;
  readonly guard: SignInGuard;
  readonly sessions: Pick<Sessions, 'endAll'>;
  readonly mails: MailQueue;
  readonly release: Pick<ReleaseService, 'release'>;
  readonly clock: Clock;
  readonly log: Logger;
}): AccountDeletion {
  const { database, guard, sessions, mails, release, clock, log } = ports;
  const { db } = database;
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<unknown> | undefined;

  async function erase(userId: number): Promise<boolean> {
    for (const device of await deletionRepository.runningAssignments(db, userId)) {
      try {
        await release.release({ ...device, actorUserId: userId });
      } catch (error) {
        // Given away by somebody else in the meantime: that is what was wanted.
        if (!(error instanceof ProblemError) || !['CONFLICT', 'NOT_FOUND'].includes(error.code)) throw error;
      }
    }
    return db.transaction().execute((trx) => deletionRepository.erase(trx, userId, new Date(clock.now())));
  }

  async function finish(): Promise<number> {
    let finished = 0;
    for (const userId of await deletionRepository.begun(db)) if (await erase(userId)) finished += 1;
    return finished;
  }

  const sweep = () => {
    sweeping ??= finish()
      .catch((error: Error) =>
        log.error({ error: error.message }, 'a deletion of an account could not be finished; again soon'),
      )
      .finally(() => {
        sweeping = undefined;
      });
  };

  return {
    async deleteOwn(caller, password, source) {
      const { userId } = await guard.check({ email: caller.email, password, source });
      await db.transaction().execute(async (trx) => {
        await accountRepository.lockAdministration(trx);
        const account = await accountRepository.lockForDeletion(trx, userId);
        if (account === undefined || account.deleted) return;
        await assertNotLastPrimeAdmin(trx, account);
        await deletionRepository.begin(trx, userId, new Date(clock.now()));
        await sessions.endAll(trx, userId, 'account-deleted');
        await writeAudit(trx, auditOf('user.delete', account, userId, source));
        await mails.put(trx, { kind: 'account-deleted', email: account.email });
      });
      await erase(userId);
    },
    finish,
    start() {
      sweep();
      timer ??= setInterval(sweep, SWEEP_MS).unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await sweeping;
    },
  };
}
