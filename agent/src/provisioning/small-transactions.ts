import type { BleRequestOf, ProvisioningStep } from '@ares/protocol/ble';
import type { StoredCredentials } from '../identity/credentials-store.ts';
import type { CredentialsKeeper } from '../lifecycle/credentials-keeper.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { createFailSafe, type FailSafeConfig } from './fail-safe.ts';
import type { Progress } from './progress.ts';
import { type StepError, toStepError } from './step-error.ts';

interface Ports {
  /** Where a phone reads how it goes; absent when none asked for it. */
  readonly progress?: Progress | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: FailSafeConfig;
}

/** `broker`: the session is back; a phone is not told of it. */
type Step = ProvisioningStep | 'broker';
type Steps = readonly (readonly [Step, (signal: AbortSignal) => Promise<void>])[];

/** Runs steps under the fail-safe and reports them; answers the failure that ended them. */
export async function runAll(
  ports: Ports,
  steps: Steps,
  signal: AbortSignal,
): Promise<StepError | undefined> {
  const { clock, config, logger } = ports;
  const failSafe = createFailSafe({ clock, config, spentMs: 0, refused: 'RECOVERY_REFUSED' });
  const shown = (step: Step) => (step === 'broker' ? undefined : step);
  ports.progress?.begin(steps.flatMap(([step]) => shown(step) ?? []));
  for (const [step, run] of steps) {
    const name = shown(step);
    const progress = name === undefined ? undefined : ports.progress;
    if (name !== undefined) progress?.running(name);
    try {
      await failSafe.step(run, signal);
    } catch (cause) {
      const error = toStepError(cause, 'RECOVERY_REFUSED');
      logger.warn('a step that was asked for failed', { step, code: error.code, cause: error });
      if (name !== undefined)
        progress?.failed(name, signal.aborted ? 'INTERRUPTED' : error.code, error.message);
      return error;
    }
    if (name !== undefined) progress?.ok(name);
  }
  return undefined;
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
  const failure = await runAll(
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
  return failure === undefined ? recovered : undefined;
}
