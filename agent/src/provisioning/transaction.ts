import type { ProvisioningStep } from '@ares/protocol/ble';
import type { AnsweredCredentials, CredentialsIssuer } from '../identity/credentials-issuer.ts';
import type { CredentialsStore } from '../identity/credentials-store.ts';
import type { Trust } from '../identity/types.ts';
import type { ChildJobs } from '../ports/child-jobs.ts';
import { type Clock, delay } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Wifi } from '../ports/wifi.ts';
import { createFailSafe, type FailSafeConfig } from './fail-safe.ts';
import type { ProvisioningJournal, ProvisioningJournalStore } from './journal.ts';
import type { Progress } from './progress.ts';
import { StepError, toStepError } from './step-error.ts';
import { PROVISIONING_STEPS } from './steps.ts';

/** How an onboarding ended. */
export type ProvisioningOutcome =
  | { readonly kind: 'provisioned'; readonly credentials: AnsweredCredentials }
  | { readonly kind: 'failed'; readonly step: ProvisioningStep; readonly error: StepError }
  /** The process is stopping; the next start goes on or rolls back. */
  | { readonly kind: 'stopped' };

/** A session on trial, which begins to operate before the device belongs to anybody. */
export interface TrialSession {
  /** Resolves when the cloud has stored a first reading, or when there is nothing attached that could measure. */
  proven(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

export interface ProvisioningPorts {
  readonly journal: ProvisioningJournalStore;
  readonly credentials: CredentialsStore;
  readonly issuer: CredentialsIssuer;
  readonly wifi: Wifi;
  readonly jobs: ChildJobs;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly progress: Progress;
  readonly config: FailSafeConfig;
  /** Starts to operate with credentials that are not adopted yet. */
  startSession(credentials: AnsweredCredentials): TrialSession;
}

const JOB_TIMEOUT_MS = 30_000;
/** How long the network is given to set the clock before TLS decides whether it is good enough. */
const CLOCK_PATIENCE_MS = 15_000;
const CLOCK_TOLERANCE_MS = 300_000;

/**
 * One onboarding, from Wi-Fi to the first stored reading: all of it or nothing.
 *
 * The journal is saved before each step. Before `claim` nothing has happened in the cloud, so an interrupted
 * transaction is rolled back; from there on it is run again from its beginning, where every step finds what it did
 * before. `commit` is the point of no return: after it the start finishes what is left.
 */
export async function runProvisioning(
  ports: ProvisioningPorts,
  signal: AbortSignal,
): Promise<ProvisioningOutcome> {
  const { journal: journals, progress } = ports;
  const found = journals.load();
  if (found === undefined) return rollBack(ports, 'wifi', interrupted());
  progress.begin(PROVISIONING_STEPS);
  if (found.step === 'commit') return commit(ports, found);
  if (found.spentMs > 0 && !reachedCloud(found)) return rollBack(ports, found.step, interrupted());
  return runSteps(ports, found, signal);
}

async function runSteps(
  ports: ProvisioningPorts,
  begun: ProvisioningJournal,
  signal: AbortSignal,
): Promise<ProvisioningOutcome> {
  const { journal: journals, progress, clock, config } = ports;
  const failSafe = createFailSafe({ clock, config, spentMs: begun.spentMs, refused: 'CLAIM_REFUSED' });
  const executors = createExecutors(ports, begun);
  let session: TrialSession | undefined;
  for (const step of PROVISIONING_STEPS) {
    // Never 0: a journal with no time spent is one whose first step has not begun.
    const spentMs = Math.max(failSafe.spentMs(), 1);
    // A second attempt that is interrupted early must still know that the claim may be used.
    journals.save({ ...begun, step: reachedCloud(begun) ? begun.step : step, spentMs });
    progress.running(step);
    try {
      if (step === 'first-reading') {
        session = ports.startSession(executors.answered());
        const proof = session;
        await failSafe.step((inner) => proof.proven(inner), signal);
      } else {
        await failSafe.step(executors.steps[step], signal);
      }
    } catch (cause) {
      await session?.stop();
      if (signal.aborted) return { kind: 'stopped' };
      return rollBack(ports, step, toStepError(cause, 'CLAIM_REFUSED'));
    }
    progress.ok(step);
  }
  return commit(ports, begun);
}

type EffectStep = Exclude<ProvisioningStep, 'first-reading'>;

function createExecutors(ports: ProvisioningPorts, begun: ProvisioningJournal) {
  const { wifi, clock, config, jobs, trust, issuer } = ports;
  const { apiUrl, claim, phoneTime } = begun;
  let credentials: AnsweredCredentials | undefined;
  const steps: { readonly [S in EffectStep]: (signal: AbortSignal) => Promise<void> } = {
    wifi: async (signal) => {
      const rollbackAfterMs = config.cumulativeMs + config.perStepMs;
      if (begun.wifi === undefined) await wifi.rollbackTrial();
      else await wifi.beginTrial(begun.wifi, { rollbackAfterMs, signal });
    },
    address: (signal) => wifi.waitForAddress(signal),
    // The phone's time only tells that the clock cannot be right yet; whether it is, TLS and NTP decide.
    clock: async (signal) => {
      const behind = () => !clock.synchronised() && clock.now() < phoneTime - CLOCK_TOLERANCE_MS;
      const until = clock.monotonicMs() + CLOCK_PATIENCE_MS;
      while (behind() && clock.monotonicMs() < until) await delay(clock, 500, signal);
    },
    dns: (signal) => reach(signal, 'dns'),
    tls: (signal) => reach(signal, 'tls'),
    claim: async (signal) => {
      credentials = await issuer.obtain({ grant: 'claim', apiUrl, claim }, signal);
    },
    certificate: async () => {
      // The issuer has checked it against key, device and trust file before it saved it.
      answered();
    },
  };
  let reached = false;
  async function reach(signal: AbortSignal, step: 'dns' | 'tls'): Promise<void> {
    if (reached) return;
    const endpoint = { apiUrl, caCertificates: trust.caCertificates };
    try {
      await jobs.run('reach', { endpoint }, { signal, timeoutMs: JOB_TIMEOUT_MS });
      reached = true;
    } catch (cause) {
      // One call does both; a name that was resolved belongs to the next step's failure.
      if (step === 'dns' && toStepError(cause, 'CLAIM_REFUSED').code !== 'DNS_FAILED') return;
      throw cause;
    }
  }
  function answered(): AnsweredCredentials {
    if (credentials === undefined) throw new Error('the claim comes before the certificate');
    return credentials;
  }
  return { steps, answered };
}

async function commit(ports: ProvisioningPorts, journal: ProvisioningJournal): Promise<ProvisioningOutcome> {
  const { journal: journals, credentials: store, wifi, progress } = ports;
  journals.save({ ...journal, step: 'commit' });
  const pending = store.loadPending();
  if (journal.wifi !== undefined && !(await wifi.inTrial())) {
    // A start after a power cut: the trial is gone and the network is joined for good.
    await wifi
      .beginTrial(journal.wifi, {
        rollbackAfterMs: ports.config.perStepMs,
        signal: AbortSignal.timeout(60_000),
      })
      .catch((cause: unknown) => ports.logger.warn('the network could not be joined again', { cause }));
  }
  await wifi.commitTrial();
  if (pending.kind !== 'found' || pending.value.answer === undefined) return adoptedBefore(ports);
  const credentials = { ...pending.value, answer: pending.value.answer };
  store.adopt(credentials);
  journals.remove();
  for (const step of PROVISIONING_STEPS) progress.ok(step);
  return { kind: 'provisioned', credentials };
}

/** A power cut between adopting the credentials and removing the journal. */
function adoptedBefore(ports: ProvisioningPorts): ProvisioningOutcome | Promise<ProvisioningOutcome> {
  const stored = ports.credentials.load();
  if (stored.kind !== 'found') return rollBack(ports, 'certificate', interrupted());
  ports.journal.remove();
  const { apiUrl, privateKeyPem, answer } = stored.value;
  for (const step of PROVISIONING_STEPS) ports.progress.ok(step);
  return {
    kind: 'provisioned',
    credentials: { v: 1, grant: 'claim', apiUrl, privateKeyPem, csr: '', answer },
  };
}

/** Back to where the device was before: claimable, on the old network. Safe to repeat. */
async function rollBack(
  ports: ProvisioningPorts,
  step: ProvisioningStep | 'commit',
  error: StepError,
): Promise<ProvisioningOutcome> {
  const { credentials, wifi, journal, progress, logger } = ports;
  const failed = step === 'commit' ? 'certificate' : step;
  logger.warn('onboarding failed and is undone', { step: failed, code: error.code, cause: error });
  credentials.wipe();
  await wifi.rollbackTrial();
  journal.remove();
  if (progress.reports().length === 0) progress.begin(PROVISIONING_STEPS);
  progress.failed(failed, error.code, error.message);
  return { kind: 'failed', step: failed, error };
}

/** Whether the claim may have been used, so that an answer may wait in the cloud. */
function reachedCloud({ step }: ProvisioningJournal): boolean {
  return step === 'claim' || step === 'certificate' || step === 'first-reading';
}

function interrupted(): StepError {
  return new StepError('INTERRUPTED', 'The device was switched off meanwhile. Begin again.');
}
