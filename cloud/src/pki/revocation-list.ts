import type { CertificateAuthority } from '../ports/certificate-authority.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import { listRevoked } from './certificate-repository.ts';

/** The lists are valid for 72 h; with one every hour a publisher may be down for three days (PKI-03). */
const PUBLISH_EVERY_MS = 3_600_000;
const RETRY_MS = 30_000;

/** Makes the signed revocation lists for TLS listeners and brokers. */
export interface RevocationService {
  /** The latest lists, PEM, one per CA; empty before the first {@link publish}. */
  lists(): readonly string[];
  /** Makes new lists now and hands them to every listener. Calls that come meanwhile share one further run. */
  publish(): Promise<readonly string[]>;
  /** Hears new lists. The answer ends it. */
  onPublished(listener: (lists: readonly string[]) => void): () => void;
  /** Publishes at once, each hour, and soon after a certificate changed in any process. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createRevocationService(options: {
  readonly database: CloudDatabase;
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  readonly log: Logger;
  readonly publishEveryMs?: number;
}): RevocationService {
  const { database, authority, clock, log, publishEveryMs = PUBLISH_EVERY_MS } = options;
  const listeners = new Set<(lists: readonly string[]) => void>();
  let latest: readonly string[] = [];
  let running: Promise<readonly string[]> | undefined;
  let next: Promise<readonly string[]> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let unlisten: (() => void) | undefined;
  let stopped = false;

  const make = async () => {
    const lists = await authority.crls(await listRevoked(database.db, new Date(clock.now())));
    latest = lists;
    for (const listener of listeners) listener(lists);
    return lists;
  };
  const run = () => {
    running = make().finally(() => {
      running = undefined;
    });
    return running;
  };
  const publish = () => {
    if (running === undefined) return run();
    // What runs may have read the table before the change that brought us here.
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return run();
      });
    return next;
  };
  const publishAgain = () => {
    clearTimeout(timer);
    if (stopped) return;
    publish().then(
      () => again(publishEveryMs),
      (error: Error) => {
        // The lists that are out stay valid for days.
        log.error({ error: error.message }, 'no new revocation list could be made; trying again soon');
        again(RETRY_MS);
      },
    );
  };
  const again = (ms: number) => {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(publishAgain, ms).unref();
  };

  return {
    lists: () => latest,
    publish,
    onPublished(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async start() {
      stopped = false;
      await publish();
      again(publishEveryMs);
      unlisten = database.listen('endSession', publishAgain, publishAgain);
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      unlisten?.();
      await next?.catch(() => undefined);
      await running?.catch(() => undefined);
    },
  };
}
