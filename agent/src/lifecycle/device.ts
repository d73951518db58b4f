import type { BleRequestOf } from '@ares/protocol/ble';
import { BleRefusal, createBleWindow } from '../provisioning/ble-window.ts';
import { bleStateOf, createConversation } from '../provisioning/conversation.ts';
import { createProgress } from '../provisioning/progress.ts';
import { runRecovery } from '../provisioning/small-transactions.ts';
import type { ResetCause } from '../reset/plan.ts';
import { runReset } from '../reset/reset.ts';
import { createCredentialsKeeper } from './credentials-keeper.ts';
import { BLE_WINDOW_MS, type DevicePorts } from './device-ports.ts';
import { createExecutors } from './executors.ts';
import { createLifecycleRunner } from './runner.ts';
import { createStandingClient } from './standing.ts';
import { type DeviceStatus, describeStatus } from './status.ts';
import { LifecycleError, next } from './transitions.ts';

/** The device as the program and its CLI see it. */
export interface Device {
  /** Runs until `stop`. */
  run(): Promise<void>;
  stop(): Promise<void>;
  status(): DeviceStatus;
  /** State and reason in one line. */
  summary(): string;
  /** Settles when the first step has begun and the components of a device at work have shown whether they work. */
  settled(): Promise<void>;
  /** Resolves when the decision is on the disk and the reset has begun. @throws {LifecycleError} while one runs */
  reset(cause: ResetCause): Promise<void>;
  /** A whole reset without the rest of the life: for a device whose agent does not run. */
  resetNow(cause: ResetCause): Promise<void>;
  /** A short press of the button: Bluetooth for fifteen minutes. */
  openBluetooth(): void;
  bluetoothOpen(): boolean;
}

export function createDevice(ports: DevicePorts): Device {
  const { local, trust, lifecycle, marker, wifi, networkChanger, jobs, clock, logger, journal, config } =
    ports;
  const { identity } = local;
  finishDecisionOfReset(ports);
  const progress = createProgress();
  const stopping = new AbortController();
  const begun = Promise.withResolvers<void>();
  const keeper = createCredentialsKeeper({ ...ports, identity, store: ports.credentials });
  const standing = createStandingClient({
    identity,
    trust,
    jobs,
    logger,
    identityKeyPem: () => ports.reloadLocal().identityKeyPem,
  });
  let besideWork: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;

  /** Runs something that a phone began beside the present step; one at a time. */
  const beside = (run: (signal: AbortSignal) => Promise<void>) => {
    if (besideWork !== undefined) throw new BleRefusal('BUSY', 'Wait until the change before has ended.');
    const abort = new AbortController();
    const done = run(AbortSignal.any([stopping.signal, abort.signal]))
      .catch((cause: unknown) => logger.error('a change asked for over Bluetooth failed', { cause }))
      .finally(() => {
        besideWork = undefined;
      });
    besideWork = { abort, done };
  };
  const endBeside = async () => {
    besideWork?.abort.abort();
    await besideWork?.done;
  };
  const conversation = createConversation({
    local: ports.reloadLocal,
    wifi,
    progress,
    state: () => runner.record().state,
    actions: {
      async provision({ wifi: network, apiUrl, claimId, nonce, phoneTime }) {
        // On the disk before the state says so: a start in between finds a journal that it may drop.
        journal.save({
          v: 1,
          ...(network !== undefined && { wifi: network }),
          apiUrl,
          claim: { claimId, nonce },
          phoneTime,
          step: 'wifi',
          spentMs: 0,
        });
        await runner
          .dispatch({ event: 'provision-requested', why: 'A phone sets the device up.' })
          .catch(refuseInState);
      },
      async recover(request: BleRequestOf<'recover'>) {
        beside(async (signal) => {
          const stored = await runRecovery(
            { ...ports, progress, keeper, config: config.failSafe },
            request,
            signal,
          );
          if (stored === undefined) return;
          const cloud = { apiUrl: stored.apiUrl, assignment: stored.answer.assignment };
          await runner.dispatch({ event: 'recovered', why: 'The owner recovered the device.', cloud });
        });
      },
      async changeWifi(request) {
        const apiUrl = runner.record().cloud?.apiUrl;
        if (networkChanger.busy) throw new BleRefusal('BUSY', 'Wait until the change before has ended.');
        beside(async (signal) => {
          await networkChanger.change(request.wifi, { apiUrl, progress, signal });
        });
      },
    },
  });
  const ble = createBleWindow({
    jobs,
    input: {
      radio: config.radio,
      deviceUuid: identity.deviceUuid,
      setupCodeHex: local.setupCodeHex,
    },
    clock,
    logger,
    state: bleStateOf(lifecycle.load()?.state ?? 'UNPROVISIONED'),
    handle: conversation,
  });
  const runner = createLifecycleRunner({
    store: lifecycle,
    executors: createExecutors({
      ...ports,
      identity,
      progress,
      keeper,
      standing,
      ble,
      cloud: () => runner.record().cloud,
      endBeside,
    }),
    clock,
    logger,
    pulse: ports.pulse,
    onState: ({ state }) => {
      ble.setState(bleStateOf(state));
      // The step begins in this turn of the loop.
      setImmediate(begun.resolve);
    },
  });

  return {
    run: () => runner.run(),
    async stop() {
      stopping.abort();
      await Promise.all([runner.stop(), ble.close(), endBeside()]);
    },
    status: () =>
      describeStatus({
        ...ports,
        identity,
        record: runner.record(),
        bluetooth: ble,
        steps: progress.reports(),
      }),
    summary() {
      const { state, why } = runner.record();
      // Asked by a timer, for the service manager: no failure of the disk may come of it.
      const connection = ports.holder.current()?.connection();
      if (connection === undefined) return `${state}: ${why}`;
      return `${state}, ${connection.state}${connection.detail === undefined ? '' : `: ${connection.detail}`}`;
    },
    async settled() {
      await begun.promise;
      await ports.holder.current()?.settled();
    },
    async reset(cause) {
      const { state, cloud } = runner.record();
      next(state, 'reset-requested');
      marker.save({ cause, orderId: null, cloud });
      await runner.dispatch({ event: 'reset-requested', why: `A factory reset was asked for (${cause}).` });
    },
    async resetNow(cause) {
      const record = lifecycle.load();
      const cloud = record?.cloud ?? null;
      if (marker.load() === undefined) marker.save({ cause, orderId: null, cloud });
      finishDecisionOfReset(ports);
      await runReset(
        { ...ports, identity, identityKeyPem: () => ports.reloadLocal().identityKeyPem },
        stopping.signal,
      );
      const why = 'The device has forgotten its former owner.';
      lifecycle.save({ v: 1, state: 'UNPROVISIONED', since: clock.now(), why, cloud: null });
    },
    openBluetooth: () => ble.open(BLE_WINDOW_MS),
    bluetoothOpen: () => ble.isOpen,
  };
}

/** A power cut between the decision to forget and the state that says so. */
function finishDecisionOfReset({ lifecycle, marker, clock }: DevicePorts): void {
  const record = lifecycle.load();
  if (marker.load() === undefined || record?.state === 'RESETTING') return;
  const why = 'A factory reset was decided before the device was switched off.';
  lifecycle.save({ v: 1, state: 'RESETTING', since: clock.now(), why, cloud: record?.cloud ?? null });
}

function refuseInState(cause: unknown): never {
  if (cause instanceof LifecycleError) throw new BleRefusal('NOT_ALLOWED_IN_STATE', cause.message);
  throw cause;
}
