import type { AnsweredCredentials } from '../identity/credentials-issuer.ts';
import type { StoredCredentials } from '../identity/credentials-store.ts';
import type { Credentials } from '../identity/types.ts';
import type { OperatingSession } from '../operate/types.ts';
import { type Clock, delay } from '../ports/clock.ts';
import type { TrialSession } from '../provisioning/transaction.ts';

/** The one operating session of the process, handed from the onboarding that proved it to the operation. */
export interface SessionHolder {
  /** The session that runs, or a new one with these credentials. */
  ensure(credentials: StoredCredentials): OperatingSession;
  startTrial(credentials: AnsweredCredentials): TrialSession;
  current(): OperatingSession | undefined;
  stop(reason: string): Promise<void>;
}

/** With nothing attached no reading can come: connected for this long is then proof enough, ms. */
const NOTHING_ATTACHED_MS = 5_000;
const LOOK_EVERY_MS = 250;

export function createSessionHolder(ports: {
  readonly clock: Clock;
  create(credentials: StoredCredentials): OperatingSession;
}): SessionHolder {
  const { clock } = ports;
  let session: OperatingSession | undefined;

  const ensure = (credentials: StoredCredentials): OperatingSession => {
    if (session === undefined) {
      session = ports.create(credentials);
      session.start();
    }
    return session;
  };
  const stop = async (reason: string) => {
    const running = session;
    session = undefined;
    await running?.stop(reason);
  };
  return {
    ensure,
    stop,
    current: () => session,
    startTrial({ apiUrl, privateKeyPem, answer }) {
      const trial = ensure({ v: 1, apiUrl, privateKeyPem, answer });
      return {
        proven: (signal) => waitUntilProven(trial, clock, signal),
        stop: () => stop('the onboarding failed'),
      };
    },
  };
}

async function waitUntilProven(session: OperatingSession, clock: Clock, signal: AbortSignal): Promise<void> {
  let emptySince: number | undefined;
  for (;;) {
    const { firstReadingAcknowledged, connection, components } = session.status();
    if (firstReadingAcknowledged) return;
    const idle = connection.state === 'connected' && components.length === 0;
    emptySince = idle ? (emptySince ?? clock.monotonicMs()) : undefined;
    if (emptySince !== undefined && clock.monotonicMs() - emptySince >= NOTHING_ATTACHED_MS) return;
    await delay(clock, LOOK_EVERY_MS, signal);
  }
}

/** Credentials as a session takes them. */
export function sessionCredentials({ answer, privateKeyPem }: StoredCredentials): Credentials {
  return { ...answer, privateKeyPem };
}
