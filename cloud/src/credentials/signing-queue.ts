import { setTimeout as sleep } from 'node:timers/promises';
import { ProblemError } from '@ares/protocol';
import type {
  CertificateAuthority,
  DeviceCertificateRequest,
  IssuedCertificate,
} from '../ports/certificate-authority.ts';
import type { Clock } from '../ports/clock.ts';

export interface SigningQueueConfig {
  /** Certificates a second that the authority is asked for. */
  readonly perSecond: number;
  /** Who would have to wait longer is told to come back. */
  readonly maxWaitMs: number;
}

const signingQueueDefaults: SigningQueueConfig = { perSecond: 100, maxWaitMs: 2_000 };

/** Hands requests to the certificate authority at a set rate: a fleet that comes back at once must not drown it. */
export interface SigningQueue {
  /**
   * @throws {ProblemError} UNAVAILABLE with `retryAfterSeconds` when the queue is full
   * @throws {CertificateAuthorityError} as the authority does
   */
  sign(request: DeviceCertificateRequest): Promise<IssuedCertificate>;
}

export function createSigningQueue(options: {
  readonly authority: Pick<CertificateAuthority, 'signDevice'>;
  readonly clock: Clock;
  readonly config?: SigningQueueConfig;
}): SigningQueue {
  const { authority, clock, config = signingQueueDefaults } = options;
  const spacingMs = 1_000 / config.perSecond;
  let nextSlotMs = 0;
  return {
    async sign(request) {
      const now = clock.now();
      // Never further ahead than the longest queue, also when the clock was set back.
      nextSlotMs = Math.max(now, Math.min(nextSlotMs, now + config.maxWaitMs + spacingMs));
      const waitMs = nextSlotMs - now;
      if (waitMs > config.maxWaitMs) {
        throw new ProblemError('UNAVAILABLE', 'Too many certificates are being made: try again later.', {
          retryAfterSeconds: Math.ceil(waitMs / 1_000),
        });
      }
      nextSlotMs += spacingMs;
      if (waitMs > 0) await sleep(waitMs);
      return authority.signDevice(request);
    },
  };
}
