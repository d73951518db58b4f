import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { AppRights } from '../ports/device-broker.ts';
import type { Logger } from '../ports/logger.ts';
import { appRepository } from './repository.ts';

/** Should a notice be lost, or rights end by the clock, the broker is told by then. */
const LOOK_MS = 3_000;

/**
 * Keeps the broker's apps as the tables have them: who signs in is let in, and whose session, account or certificate
 * ended is out.
 * @returns ends it
 */
export function keepApps(ports: {
  readonly broker: { syncApps(apps: AppRights): Promise<void> };
  readonly database: CloudDatabase;
  readonly clock: Clock;
  readonly log: Logger;
  readonly lookMs?: number;
}): () => void {
  const { broker, database, clock, log, lookMs = LOOK_MS } = ports;
  let running: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  const sync = async () => {
    const apps = await appRepository.running(database.db, new Date(clock.now()));
    await broker.syncApps(
      new Map(apps.map(({ appUuid, userEmail, serial }) => [appUuid, { userEmail, serial }])),
    );
    const news = apps.filter(({ admitted }) => !admitted).map(({ appUuid }) => appUuid);
    await appRepository.admit(database.db, news, new Date(clock.now()));
  };
  const look = () => {
    again = running !== undefined;
    if (running !== undefined || stopped) return;
    running = sync()
      .catch((error: Error) => log.debug({ error: error.message }, 'the broker was not told of its apps'))
      .then(() => {
        running = undefined;
        if (again) look();
      });
  };
  const unlisten = database.listen('userSessions', look, look);
  const timer = setInterval(look, lookMs);
  look();
  return () => {
    stopped = true;
    clearInterval(timer);
    unlisten();
  };
}
