import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';

const EVERY_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Forgets nonces, tokens and counted tries that can no longer matter. */
export interface Cleanup {
  run(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

export function createCleanup(options: {
  readonly database: CloudDatabase;
  readonly clock: Clock;
  readonly log: Logger;
}): Cleanup {
  const { database, clock, log } = options;
  const { db } = database;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    const ago = (ms: number) => new Date(clock.now() - ms);
    await db.deleteFrom('challenges').where('expires_at', '<', ago(HOUR_MS)).execute();
    await db.deleteFrom('claims').where('expires_at', '<', ago(DAY_MS)).execute();
    await db.deleteFrom('claim_attempts').where('at', '<', ago(HOUR_MS)).execute();
    await db.deleteFrom('recovery_failures').where('at', '<', ago(HOUR_MS)).execute();
    await db.deleteFrom('recovery_tokens').where('expires_at', '<', ago(DAY_MS)).execute();
  }

  return {
    run,
    start() {
      timer ??= setInterval(() => {
        running ??= run()
          .catch((error: Error) => log.warn({ error: error.message }, 'old nonces could not be deleted'))
          .finally(() => {
            running = undefined;
          });
      }, EVERY_MS).unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await running;
    },
  };
}
