import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import { type Letter, type Mailer, MailerError } from '../ports/mailer.ts';
import { mailRepository } from './queue.ts';
import type { WaitingMail } from './types.ts';

const AT_ONCE = 10;
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 15 * 60_000;
const POLL_MS = 5_000;

/** Makes the text of a mail at the moment when it goes; `undefined` when there is nobody to tell any more. */
export type WriteLetter = (mail: WaitingMail) => Promise<Omit<Letter, 'id' | 'to'> | undefined>;

/** Carries mails from the queue to the mailer, by as many processes as there are. A mail goes at least once. */
export interface Postman {
  /** Sends what is due. @returns how many went out */
  round(): Promise<number>;
  start(): void;
  stop(): Promise<void>;
}

export function createPostman(ports: {
  readonly database: CloudDatabase;
  readonly clock: Clock;
  readonly mailer: Mailer;
  readonly write: WriteLetter;
  readonly log: Logger;
}): Postman {
  const { database, clock, mailer, write, log } = ports;
  let timer: NodeJS.Timeout | undefined;
  let unlisten: (() => void) | undefined;
  let running: Promise<void> | undefined;
  let again = false;

  async function deliver(mail: WaitingMail): Promise<boolean> {
    const { id, kind, attempts } = mail;
    try {
      const letter = await write(mail);
      if (letter !== undefined) await mailer.send({ ...letter, id, to: mail.email });
      await mailRepository.remove(database.db, id);
      return letter !== undefined;
    } catch (error) {
      // No address in the log: whose mails fail is nobody's business there.
      const fields = { mail: id, kind, attempts, error: (error as Error).message };
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempts - 1, 12));
      const next = clock.now() + wait;
      const refused = error instanceof MailerError && error.code === 'REFUSED';
      if (refused || next > mail.giveUpAt.getTime()) {
        log.error(fields, 'a mail was given up');
        await mailRepository.remove(database.db, id);
      } else {
        log.warn(fields, 'a mail did not go out; again later');
        await mailRepository.putBack(database.db, id, new Date(next));
      }
      return false;
    }
  }

  async function round(): Promise<number> {
    let sent = 0;
    for (;;) {
      const mails = await mailRepository.take(database.db, new Date(clock.now()), AT_ONCE);
      const outcomes = await Promise.all(mails.map(deliver));
      sent += outcomes.filter(Boolean).length;
      if (mails.length < AT_ONCE || timer === undefined) return sent;
    }
  }

  const work = () => {
    if (running !== undefined) {
      again = true;
      return;
    }
    running = round()
      .then(() => undefined)
      .catch((error: Error) => log.warn({ error: error.message }, 'the queue of mails could not be read'))
      .finally(() => {
        running = undefined;
        if (again && timer !== undefined) work();
        again = false;
      });
  };

  return {
    round,
    start() {
      timer ??= setInterval(work, POLL_MS).unref();
      unlisten ??= database.listen('mail', work, work);
      work();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      unlisten?.();
      await running;
      await mailer.close();
    },
  };
}
