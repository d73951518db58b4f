import type { CertificateAuthority, RevokedCertificate } from '../ports/certificate-authority.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import { listRevoked, unexpired } from './certificate-repository.ts';

/** The lists are valid for 72 h; with one every hour a publisher may be down for three days (PKI-03). */
const PUBLISH_EVERY_MS = 3_600_000;
const RETRY_MS = 30_000;

/** Makes the signed revocation lists for TLS listeners and brokers. */
export interface RevocationService {
  /** The latest lists, PEM, one per CA; empty before the first {@link publish}. */
  lists(): readonly string[];
  /** Makes new lists now and hands them to every listener. Calls that come meanwhile share one further run. */
  publish(): Promise<readonly string[]>;
  /** Hears new lists; one that answers a promise is waited for. The answer ends it. */
  onPublished(listener: (lists: readonly string[]) => Promise<void> | void): () => void;
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
  /** Certificates of no device that the next list names too. */
  readonly more?: () => Promise<readonly RevokedCertificate[]>;
  /**
   * How often to look whether a certificate came off or onto the list without a notice, as one does by the clock;
   * absent: never, as for a listener that asks the tables about each certificate itself.
   */
  readonly lookEveryMs?: number;
}): RevocationService {
  const { database, authority, clock, log, publishEveryMs = PUBLISH_EVERY_MS, lookEveryMs } = options;
  const { more = async () => [] } = options;
  const listeners = new Set<(lists: readonly string[]) => Promise<void> | void>();
  let named = '';
  let listed: readonly RevokedCertificate[] = [];
  let looking: NodeJS.Timeout | undefined;
  let latest: readonly string[] = [];
  let running: Promise<readonly string[]> | undefined;
  let next: Promise<readonly string[]> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let unlisten: (() => void) | undefined;
  let stopped = false;

  /**
   * What an earlier list named for ever and the tables name no more, though it has not expired: they were put back to
   * an earlier day, or a replica that is behind took over.
   */
  const forgotten = async (found: readonly RevokedCertificate[]) => {
    const names = new Set(found.map(({ serial }) => serial));
    const gone = listed.filter(({ serial }) => !names.has(serial));
    const alive = await unexpired(
      database.db,
      gone.map(({ serial }) => serial),
      new Date(clock.now()),
    );
    const lost = gone.filter(({ serial }) => alive.has(serial));
    if (lost.length > 0)
      log.error({ count: lost.length }, 'the tables forgot revoked certificates; the list still names them');
    return lost;
  };
  const make = async () => {
    const found = await listRevoked(database.db, new Date(clock.now()));
    const revoked = [...found, ...(await forgotten(found))];
    listed = revoked.filter(isForEver);
    const lists = await authority.crls([...revoked, ...(await more())]);
    latest = lists;
    named = namesOf(found);
    for (const listener of listeners) await listener(lists);
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

  const look = () => {
    listRevoked(database.db, new Date(clock.now())).then(
      (revoked) => namesOf(revoked) !== named && publishAgain(),
      (error: Error) =>
        log.warn({ error: error.message }, 'whether the list is still right was not looked up'),
    );
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
      if (lookEveryMs !== undefined) looking = setInterval(look, lookEveryMs).unref();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      clearInterval(looking);
      unlisten?.();
      await next?.catch(() => undefined);
      await running?.catch(() => undefined);
    },
  };
}

/** Of a device that is blocked it is named as long as that lasts. */
const isForEver = ({ reason }: RevokedCertificate): boolean => reason !== 'privilegeWithdrawn';

const namesOf = (revoked: readonly RevokedCertificate[]): string =>
  revoked.map(({ serial }) => serial).join(' ');
