import type { ChildJobs, CloudEndpoint, JobName, JobTable } from '../ports/child-jobs.ts';
import type { Clock } from '../ports/clock.ts';
import { CloudApiError } from '../ports/cloud-api.ts';
import type { Logger } from '../ports/logger.ts';
import type { FlooredClock } from './floored-clock.ts';
import { LONGEST_QUESTION_MS, type SignedTime } from './trusted-clock.ts';

/**
 * Jobs that reach the cloud with any system clock: where a certificate's dates do not fit it and nothing sets it, the
 * cloud is asked for its signed time first, once, and from then on the dates are looked at by that.
 *
 * @param ports.ask a question of its own; it must not come back here
 */
export function jobsByKnownTime(ports: {
  readonly jobs: ChildJobs;
  readonly clock: Pick<FlooredClock, 'signedNow' | 'correct' | 'synchronised'> & Pick<Clock, 'monotonicMs'>;
  readonly ask: (apiUrl: string, signal: AbortSignal) => Promise<SignedTime>;
  readonly logger: Logger;
}): ChildJobs {
  const { jobs, clock, ask, logger } = ports;

  const learnTime = async (apiUrl: string, signal: AbortSignal): Promise<boolean> => {
    try {
      const { epochMs, askedAt, answeredAt } = await ask(apiUrl, signal);
      if (answeredAt - askedAt > LONGEST_QUESTION_MS) return false;
      clock.correct(epochMs + clock.monotonicMs() - answeredAt);
      logger.info('the cloud signed the time; dates of certificates are looked at by it');
      return true;
    } catch (cause) {
      logger.warn('the time is not known', { cause });
      return false;
    }
  };

  return {
    openBle: (input) => jobs.openBle(input),
    async run(job, input, options) {
      const endpoint = endpointOf(input);
      if (endpoint === undefined || job === 'time') return await jobs.run(job, input, options);
      const byKnownTime = <J extends JobName>(of: JobTable[J]['input']): JobTable[J]['input'] => {
        const knownTime = clock.signedNow();
        return knownTime === null ? of : { ...of, endpoint: { ...endpoint, knownTime } };
      };
      const known = clock.signedNow() !== null;
      try {
        return await jobs.run(job, byKnownTime(input), options);
      } catch (cause) {
        const unset = !known && !clock.synchronised() && isAboutDates(cause);
        if (!unset || !(await learnTime(endpoint.apiUrl, options.signal))) throw cause;
        return await jobs.run(job, byKnownTime(input), options);
      }
    },
  };
}

function endpointOf(input: object): CloudEndpoint | undefined {
  return 'endpoint' in input ? (input.endpoint as CloudEndpoint) : undefined;
}

/** A server's certificate that has ended may also be a clock that is ahead. */
function isAboutDates(cause: unknown): boolean {
  return (
    cause instanceof CloudApiError &&
    (cause.code === 'CLOCK' || (cause.code === 'TLS' && cause.message.startsWith('CERT_HAS_EXPIRED')))
  );
}
