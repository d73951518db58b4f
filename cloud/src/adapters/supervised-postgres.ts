import type { Logger } from '../ports/logger.ts';
import {
  type EmbeddedPostgres,
  type PostgresConnection,
  startEmbeddedPostgres,
} from './embedded-postgres.ts';

const AGAIN_AFTER_MS = 200;
/** So many unwanted ends within the window, and somebody has to look. */
const MOST_ENDS = 10;
const WINDOW_MS = 60_000;

export interface SupervisedPostgres {
  readonly connection: PostgresConnection;
  /** Resolves with a sentence when the server cannot be kept running. */
  readonly failed: Promise<string>;
  stop(): Promise<void>;
}

/**
 * The embedded PostgreSQL, started again when it is killed: the connection stays the same, pools find it again.
 * @throws {EmbeddedPostgresError} when it does not start the first time
 */
export async function superviseEmbeddedPostgres(options: {
  readonly dataDir: string;
  readonly log: Logger;
}): Promise<SupervisedPostgres> {
  const { dataDir, log } = options;
  const start = () => startEmbeddedPostgres({ dataDir, log: (line) => log.debug({ line }, 'postgres') });
  let server: EmbeddedPostgres = await start();
  let stopping = false;
  const ends: number[] = [];

  const tooOften = () => {
    const now = performance.now();
    ends.push(now);
    return ends.filter((at) => now - at < WINDOW_MS).length >= MOST_ENDS;
  };
  /** @returns a sentence that says why nothing runs any more */
  const keepRunning = async (): Promise<string> => {
    for (;;) {
      const { code, signal } = await server.exited;
      if (stopping) return 'PostgreSQL was stopped.';
      log.error({ code, signal }, 'PostgreSQL ended by itself; starting it again');
      for (let why = 'it ends again and again'; ; ) {
        if (tooOften()) return `PostgreSQL in ${dataDir} cannot be kept running: ${why}`;
        await new Promise((next) => setTimeout(next, AGAIN_AFTER_MS));
        if (stopping) return 'PostgreSQL was stopped.';
        try {
          server = await start();
          break;
        } catch (error) {
          why = (error as Error).message;
        }
      }
    }
  };
  const watch = keepRunning();
  // Whoever stopped it does not want to hear of it.
  const failed = watch.then((why) => (stopping ? new Promise<never>(() => undefined) : why));

  return {
    connection: server.connection,
    failed,
    async stop() {
      stopping = true;
      await server.stop();
      await watch;
      // It may just have been starting again.
      await server.stop();
    },
  };
}
