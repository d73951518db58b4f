import type { DeviceIdentity, Trust } from '../identity/types.ts';
import type { ChildJobs } from '../ports/child-jobs.ts';
import type { Logger } from '../ports/logger.ts';
import type { ResetOrigin } from '../reset/plan.ts';
import type { Happening } from './runner.ts';
import { verifyResetOrder, verifyStanding } from './signed-answers.ts';

/** What the cloud has signed about this device, just now. */
export type StandingAnswer =
  | { readonly standing: 'ACTIVE' | 'RENEW' | 'RECOVERY_NEEDED' | 'BLOCKED' }
  | { readonly standing: 'RELEASED'; readonly origin: ResetOrigin };

const JOB_TIMEOUT_MS = 60_000;

export interface StandingClient {
  /**
   * @throws {CloudApiError} when the cloud cannot be asked; {OrderError} when what it said is not its signed word.
   * Neither ever changes the device.
   */
  ask(
    cloud: { readonly apiUrl: string; readonly assignment: number | undefined },
    signal: AbortSignal,
  ): Promise<StandingAnswer>;
}

export function createStandingClient(ports: {
  readonly identity: DeviceIdentity;
  readonly trust: Trust;
  readonly jobs: ChildJobs;
  readonly logger: Logger;
  identityKeyPem(): string;
}): StandingClient {
  const { identity, trust, jobs, logger } = ports;
  const { deviceUuid } = identity;
  return {
    async ask({ apiUrl, assignment }, signal) {
      const { nonce, standing: token } = await jobs.run(
        'standing',
        {
          endpoint: { apiUrl, caCertificates: trust.caCertificates },
          deviceUuid,
          identityKeyPem: ports.identityKeyPem(),
        },
        { signal, timeoutMs: JOB_TIMEOUT_MS },
      );
      const claims = await verifyStanding(token, { trust, deviceUuid, nonce });
      logger.info('standing', { standing: claims.standing });
      if (claims.standing !== 'RELEASED') return { standing: claims.standing };
      const order = await verifyResetOrder(claims.order ?? '', {
        trust,
        deviceUuid,
        assignment,
        orLater: true,
      });
      const cloud = { apiUrl, assignment: order.asg };
      return { standing: 'RELEASED', origin: { cause: 'released', orderId: order.jti, cloud } };
    },
  };
}

/** What an answer means for the life of the device. */
export function happeningOf(answer: StandingAnswer): Happening {
  switch (answer.standing) {
    case 'ACTIVE':
    case 'RENEW':
      return { event: 'standing-active', why: 'The cloud says that the device is in good standing.' };
    case 'RECOVERY_NEEDED':
      return {
        event: 'standing-recovery-needed',
        why: 'The cloud withdrew the certificate; the owner must recover the device.',
      };
    case 'BLOCKED':
      return { event: 'standing-blocked', why: 'The cloud blocked the device.' };
    case 'RELEASED':
      return { event: 'reset-requested', why: 'The owner gave the device away.' };
  }
}
