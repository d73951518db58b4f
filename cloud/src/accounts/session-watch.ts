import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import { sessionRepository } from './session-repository.ts';

/** Should a notice be lost, what is open is looked up again by then. */
const RECHECK_MS = 4_000;

/** Ends what a session keeps open, as soon as it ends in whatever process. */
export interface SessionWatch {
  /** Calls `end` once when the session is over; the answer takes the watch back. */
  watch(session: { readonly id: string; readonly userId: number }, end: () => void): () => void;
  close(): void;
}

interface Watched {
  readonly id: string;
  readonly userId: number;
  readonly end: () => void;
}

export function createSessionWatch(ports: {
  readonly database: CloudDatabase;
  readonly clock: Clock;
  readonly log: Logger;
}): SessionWatch {
  const { database, clock, log } = ports;
  const open = new Set<Watched>();

  const recheck = async (mine: (watched: Watched) => boolean): Promise<void> => {
    const asked = [...open].filter(mine);
    const ids = [...new Set(asked.map(({ id }) => id))];
    const running = await sessionRepository.running(database.db, ids, new Date(clock.now()));
    for (const watched of asked) {
      if (running.has(watched.id) || !open.delete(watched)) continue;
      watched.end();
    }
  };
  const look = (mine: (watched: Watched) => boolean) => {
    recheck(mine).catch((error: Error) =>
      log.warn({ error: error.message }, 'open sessions were not checked again'),
    );
  };
  const stop = database.listen(
    'userSessions',
    ({ userId }) => look((watched) => watched.userId === userId),
    () => look(() => true),
  );
  const timer = setInterval(() => open.size > 0 && look(() => true), RECHECK_MS).unref();

  return {
    watch(session, end) {
      const watched = { ...session, end };
      open.add(watched);
      return () => void open.delete(watched);
    },
    close() {
      clearInterval(timer);
      stop();
    },
  };
}
