import type { DeviceIdentity } from '../identity/types.ts';
import { delay } from '../ports/clock.ts';
import type { BleWindow } from '../provisioning/ble-window.ts';
import type { Progress } from '../provisioning/progress.ts';
import { runProvisioning } from '../provisioning/transaction.ts';
import { runReset } from '../reset/reset.ts';
import type { CredentialsKeeper } from './credentials-keeper.ts';
import { BLE_WINDOW_MS, type DevicePorts } from './device-ports.ts';
import type { LifecycleRecord } from './lifecycle-store.ts';
import { operate } from './operate.ts';
import type { Happening, StepExecutor, StepExecutors } from './runner.ts';
import { happeningOf, type StandingClient } from './standing.ts';

export interface ExecutorPorts extends DevicePorts {
  readonly identity: DeviceIdentity;
  readonly progress: Progress;
  readonly keeper: CredentialsKeeper;
  readonly standing: StandingClient;
  readonly ble: BleWindow;
  cloud(): LifecycleRecord['cloud'];
  /** Ends what a phone began beside the present step: after a reset it would bring back what was forgotten. */
  endBeside(): Promise<void>;
}

/** How long the phone may read the outcome of an onboarding after the service has closed, ms. */
const LINGER_MS = 30_000;
/** A device that has not reached its cloud for so long after power-on lets its owner change the Wi-Fi, ms. */
const LONG_WITHOUT_CLOUD_MS = 10 * 60_000;
const WAITING = 'wait for a better standing';
/** Longer than an onboarding or a reset with all their time-outs, ms. */
const LONGEST_STEP_MS = 30 * 60_000;
/** Pause between two questions for the standing of a device that may not work, ms; ± half. */
const STANDING_EVERY_MS = 10 * 60_000;

/** What the device does in each step of its life. */
export function createExecutors(ports: ExecutorPorts): StepExecutors {
  const { ble } = ports;
  const waiting = bounded(ports, WAITING, (signal) => recoverOrAsk(ports, signal));
  return {
    'await-claim': (signal) => awaitClaim(ports, signal),
    provision: bounded(ports, 'onboarding', (signal) => provision(ports, signal)),
    operate: openWhenCut(ports, async (signal) => {
      await rollBackStrayTrial(ports);
      void ble.close(LINGER_MS);
      return decidedToForget(ports) ?? operate(ports, signal);
    }),
    'await-recovery': async (signal) => {
      ble.open(BLE_WINDOW_MS);
      return waiting(signal);
    },
    'wait-while-blocked': waiting,
    reset: bounded(ports, 'reset', async (signal) => {
      const identityKeyPem = () => ports.reloadLocal().identityKeyPem;
      await ports.endBeside();
      await ports.holder.stop('the device is being reset');
      await runReset({ ...ports, identityKeyPem }, signal);
      return { event: 'reset-done', why: 'The device has forgotten its former owner.', cloud: null };
    }),
  };
}

async function awaitClaim(ports: ExecutorPorts, signal: AbortSignal): Promise<undefined> {
  // What a power cut left of a transaction that never began, or was undone.
  ports.journal.remove();
  ports.credentials.wipe();
  await rollBackStrayTrial(ports);
  ports.ble.open();
  await aborted(signal);
}

async function provision(ports: ExecutorPorts, signal: AbortSignal): Promise<Happening | undefined> {
  const { holder, store, ble, config } = ports;
  ble.open();
  const outcome = await runProvisioning(
    { ...ports, config: config.failSafe, startSession: (credentials) => holder.startTrial(credentials) },
    signal,
  );
  switch (outcome.kind) {
    case 'stopped':
      await holder.stop('the agent stops');
      return undefined;
    case 'failed':
      await holder.stop('the onboarding failed');
      store.deleteOutbox();
      return {
        event: 'provision-failed',
        why: `Onboarding failed at ${outcome.step}: ${outcome.error.message}`,
      };
    case 'provisioned': {
      const { apiUrl, answer } = outcome.credentials;
      const cloud = { apiUrl, assignment: answer.assignment };
      return { event: 'provisioned', why: `The device works for ${answer.userEmail}.`, cloud };
    }
  }
}

/** Without its certificate a device can only wait: for its owner, or for another word of the cloud. */
async function recoverOrAsk(ports: ExecutorPorts, signal: AbortSignal): Promise<Happening | undefined> {
  const { keeper, standing, clock, logger, marker, pulse, random } = ports;
  await ports.holder.stop('the device may not work');
  while (!signal.aborted) {
    pulse?.beat(WAITING, LONGEST_STEP_MS);
    const decided = decidedToForget(ports);
    if (decided !== undefined) return decided;
    try {
      const recovered = await keeper.resumeRecovery(signal);
      if (recovered !== undefined) {
        const cloud = { apiUrl: recovered.apiUrl, assignment: recovered.answer.assignment };
        return { event: 'recovered', why: 'The owner recovered the device.', cloud };
      }
      const known = ports.cloud();
      const answer = known === null ? undefined : await standing.ask(known, signal);
      if (answer?.standing === 'RELEASED') marker.save(answer.origin);
      const happening = answer && happeningOf(answer);
      if (happening !== undefined && happening.event !== standingOf(ports)) return happening;
    } catch (cause) {
      if (!signal.aborted) logger.info('the standing is not known', { cause });
    }
    await delay(clock, STANDING_EVERY_MS * (0.5 + random()), signal).catch(() => undefined);
  }
  return undefined;
}

/** A decision that is on the disk holds, whatever ended the step that took it. */
function decidedToForget({ marker }: ExecutorPorts): Happening | undefined {
  if (marker.load() === undefined) return undefined;
  return { event: 'reset-requested', why: 'It was decided before that the device forgets its owner.' };
}

/** The answer that would leave the device where it is. */
function standingOf(ports: ExecutorPorts): Happening['event'] {
  return ports.lifecycle.load()?.state === 'BLOCKED' ? 'standing-blocked' : 'standing-recovery-needed';
}

/** Opens Bluetooth once when the cloud was not reached long after power-on. */
function openWhenCut(ports: ExecutorPorts, step: StepExecutor): StepExecutor {
  return async (signal) => {
    const cancel = ports.clock.after(LONG_WITHOUT_CLOUD_MS, () => {
      if (ports.holder.current()?.status().connection.state !== 'connected') ports.ble.open(BLE_WINDOW_MS);
    });
    try {
      return await step(signal);
    } finally {
      cancel();
    }
  };
}

/** A step of its own length, which it must not exceed. */
function bounded({ pulse }: ExecutorPorts, name: string, step: StepExecutor): StepExecutor {
  return async (signal) => {
    pulse?.beat(name, LONGEST_STEP_MS);
    try {
      return await step(signal);
    } finally {
      pulse?.end(name);
    }
  };
}

/** A network that was joined on trial by a process that is gone. */
async function rollBackStrayTrial({ wifi }: ExecutorPorts): Promise<void> {
  if (await wifi.inTrial()) await wifi.rollbackTrial();
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
