import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { CertificateStatus } from './certificate-status.ts';

const AGAIN_MS = 1_000;

/** The part of a broker that ends connections of devices. */
interface SessionHost {
  endSession(deviceUuid: string, reason: string): void;
  recheckSessions(refused: (serials: readonly string[]) => Promise<ReadonlySet<string>>): Promise<void>;
}

/**
 * Ends sessions at the notice of any process of the cloud. When notices may have been lost, the certificate of
 * every connected device is looked up again, until that succeeds: who must go goes, and nobody else notices.
 * @returns ends it
 */
export function endSessionsOnNotice(ports: {
  readonly broker: SessionHost;
  readonly database: Pick<CloudDatabase, 'listen'>;
  readonly certificates: Pick<CertificateStatus, 'refused'>;
  readonly log: Logger;
  readonly againMs?: number;
}): () => void {
  const { broker, database, certificates, log, againMs = AGAIN_MS } = ports;
  let stopped = false;
  let retry: NodeJS.Timeout | undefined;
  const recheck = () => {
    clearTimeout(retry);
    broker
      .recheckSessions((serials) => certificates.refused(serials))
      .catch((error: Error) => {
        log.warn(
          { error: error.message },
          'the connected devices could not be looked up again; trying again',
        );
        if (!stopped) retry = setTimeout(recheck, againMs);
      });
  };
  const unlisten = database.listen(
    'endSession',
    ({ deviceUuid, reason }) => broker.endSession(deviceUuid, reason),
    recheck,
  );
  return () => {
    stopped = true;
    clearTimeout(retry);
    unlisten();
  };
}
