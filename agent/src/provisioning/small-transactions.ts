import type { BleRequestOf, ProvisioningStep } from '@ares/protocol/ble';
import type { StoredCredentials } from '../identity/credentials-store.ts';
import type { Trust } from '../identity/types.ts';
import type { CredentialsKeeper } from '../lifecycle/credentials-keeper.ts';
import type { ChildJobs } from '../ports/child-jobs.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Wifi } from '../ports/wifi.ts';
import { createFailSafe, type FailSafeConfig } from './fail-safe.ts';
import type { Progress } from './progress.ts';
import { toStepError } from './step-error.ts';

interface Ports {
  readonly progress: Progress;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: FailSafeConfig;
}

type Steps = readonly (readonly [ProvisioningStep, (signal: AbortSignal) => Promise<void>])[];

/** Runs steps under the fail-safe and reports them; says whether all succeeded. */
async function runAll(ports: Ports, steps: Steps, signal: AbortSignal): Promise<boolean> {
  const { progress, clock, config, logger } = ports;
  const failSafe = createFailSafe({ clock, config, spentMs: 0, refused: 'RECOVERY_REFUSED' });
  progress.begin(steps.map(([step]) => step));
  for (const [step, run] of steps) {
    progress.running(step);
    try {
      await failSafe.step(run, signal);
    } catch (cause) {
      const error = toStepError(cause, 'RECOVERY_REFUSED');
      logger.warn('a step asked for over Bluetooth failed', { step, code: error.code, cause: error });
      progress.failed(step, signal.aborted ? 'INTERRUPTED' : error.code, error.message);
      return false;
    }
    progress.ok(step);
  }
  return true;
}

/**
 * Recovers the device with the owner's one-time token: new identity key, new secret, new certificate. Without an
 * answer of the cloud nothing changes.
 */
export async function runRecovery(
  ports: Ports & { readonly keeper: CredentialsKeeper },
  request: BleRequestOf<'recover'>,
  signal: AbortSignal,
): Promise<StoredCredentials | undefined> {
  let recovered: StoredCredentials | undefined;
  const done = await runAll(
    ports,
    [
      [
        'claim',
        async (inner) => {
          recovered = await ports.keeper.recover(request.apiUrl, request.token, inner);
        },
      ],
      ['certificate', async () => {}],
    ],
    signal,
  );
  return done ? recovered : undefined;
}

/** Joins another network, keeps it when the cloud is reached over it, else returns to the former one. */
export async function runWifiChange(
  ports: Ports & { readonly wifi: Wifi; readonly jobs: ChildJobs; readonly trust: Trust },
  request: BleRequestOf<'wifi-change'>,
  apiUrl: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { wifi, jobs, trust, config } = ports;
  const reach = async (inner: AbortSignal) => {
    if (apiUrl === undefined) return;
    const endpoint = { apiUrl, caCertificates: trust.caCertificates };
    await jobs.run('reach', { endpoint }, { signal: inner, timeoutMs: 30_000 });
  };
  const rollbackAfterMs = config.cumulativeMs;
  const done = await runAll(
    ports,
    [
      ['wifi', (inner) => wifi.beginTrial(request.wifi, { rollbackAfterMs, signal: inner })],
      ['address', (inner) => wifi.waitForAddress(inner)],
      ['tls', reach],
    ],
    signal,
  );
  if (done) await wifi.commitTrial();
  else await wifi.rollbackTrial();
}
