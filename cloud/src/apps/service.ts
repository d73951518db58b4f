import { setTimeout as wait } from 'node:timers/promises';
import { ProblemError, topics } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import type { CertificateAuthority } from '../ports/certificate-authority.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { appRepository } from './repository.ts';

const DAY_MS = 86_400_000;
const ADMITTED_WITHIN_MS = 4_000;
const LOOK_MS = 50;
const PLACEHOLDER = '00000000-0000-4000-8000-000000000000';

export interface AppCertificate {
  readonly appUuid: string;
  readonly certificateChain: string;
  readonly caCertificates: string[];
  readonly expiresAt: string;
  readonly mqtt: { readonly host: string; readonly port: number };
  readonly topics: { readonly requestState: string; readonly state: string };
}

export interface AppCertificateService {
  /**
   * Signs the app's key under a name that the cloud draws: a name that the app chose could be a device's. When it
   * answers, the broker knows the rights.
   * @throws {ProblemError} BAD_CSR, UNAVAILABLE
   */
  issue(request: {
    readonly csr: string;
    readonly caller: { readonly userId: number; readonly email: string; readonly sessionId?: string };
    readonly source: string;
  }): Promise<AppCertificate>;
}

export function createAppCertificates(options: {
  readonly database: CloudDatabase;
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  readonly newUuid: () => string;
  readonly config: {
    readonly mqtt: { readonly host: string; readonly port: number };
    /** The broker asks the tables about each certificate itself; otherwise it must be told first. */
    readonly brokerAsks: boolean;
  };
}): AppCertificateService {
  const { database, authority, clock, newUuid, config } = options;

  const untilAdmitted = async (appUuid: string): Promise<void> => {
    const end = performance.now() + ADMITTED_WITHIN_MS;
    while (!(await appRepository.isAdmitted(database.db, appUuid))) {
      if (performance.now() > end)
        throw new ProblemError('UNAVAILABLE', 'The broker is not there to take the app: send this again.', {
          retryAfterSeconds: 5,
        });
      await wait(LOOK_MS);
    }
  };

  return {
    async issue({ csr, caller, source }) {
      const appUuid = newUuid();
      const issued = await authority.signDevice({
        csr: Buffer.from(csr, 'base64url'),
        commonName: appUuid,
        validityMs: DAY_MS,
      });
      await database.db.transaction().execute(async (trx) => {
        await appRepository.add(trx, {
          appUuid,
          userId: caller.userId,
          sessionId: caller.sessionId,
          serial: issued.serial,
          at: new Date(clock.now()),
          notAfter: issued.notAfter,
          admitted: config.brokerAsks,
        });
        await writeAudit(trx, {
          actorUserId: caller.userId,
          action: 'app.certificate',
          objectType: 'certificate',
          objectId: issued.serial,
          detail: { appUuid },
          source,
        });
        await database.notify(trx, 'userSessions', { userId: caller.userId });
      });
      if (!config.brokerAsks) await untilAdmitted(appUuid);
      const of = { userEmail: caller.email, deviceUuid: PLACEHOLDER };
      const prefix = (topic: string) => topic.slice(0, -PLACEHOLDER.length);
      return {
        appUuid,
        certificateChain: issued.chainPem,
        caCertificates: [authority.caCertificates.root],
        expiresAt: issued.notAfter.toISOString(),
        mqtt: { ...config.mqtt },
        topics: {
          requestState: prefix(topics.requestState.build(of)),
          state: prefix(topics.clientState.build(of)),
        },
      };
    },
  };
}
