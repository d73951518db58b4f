import {
  BACKOFF_MAX_MS,
  BACKOFF_MIN_MS,
  type BleDeviceState,
  type BleRequest,
  type BleResponse,
  DeviceSession,
  encodeInfo,
  FIRST_MESSAGE_TIMEOUT_MS,
  type RandomBytes,
} from '@ares/protocol/ble';
import type { BlePeripheral, PeripheralConnection } from '../ports/ble-peripheral.ts';
import type { Clock } from '../ports/clock.ts';

export interface GattServicePorts {
  readonly peripheral: BlePeripheral;
  readonly deviceUuid: string;
  readonly setupCode: Uint8Array;
  readonly random: RandomBytes;
  readonly clock: Pick<Clock, 'after'>;
  /** Carries out an authentic request that the state allows; a `BleError` becomes its error response. */
  handle(request: BleRequest): Promise<BleResponse>;
  onConfirmed(): void;
  onFailed(reason: string, failuresInARow: number): void;
  /** The radio stopped working. */
  onRadioFailed(error: Error): void;
}

export interface GattService {
  open(): Promise<void>;
  /** Begins to advertise with the first state. */
  setState(state: BleDeviceState): void;
  /** Lets nobody in any more; resolves when the session that stands has ended, or after `lingerMs`. */
  finish(lingerMs: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * The GATT service: who may connect and for how long.
 *
 * Invariants: one session at a time; ten seconds from connecting to the first valid sealed message, else the
 * link ends; each session that fails before that makes the next pause twice as long, from 1 s to 30 s; a session
 * that succeeds ends the series. There is no lock-out, which would let any passer-by stop the owner.
 */
export function createGattService(ports: GattServicePorts): GattService {
  const { peripheral, clock } = ports;
  let state: BleDeviceState | undefined;
  let failures = 0;
  let cancelPause: (() => void) | undefined;
  let finishing = false;
  let current: { readonly session: DeviceSession; readonly connection: PeripheralConnection } | undefined;
  let onIdle: () => void = () => {};

  const advertise = () => {
    if (!finishing && cancelPause === undefined && state !== undefined) peripheral.setAdvertising(true);
  };

  const failed = (reason: string) => {
    const pauseMs = Math.min(BACKOFF_MIN_MS * 2 ** failures, BACKOFF_MAX_MS);
    failures += 1;
    peripheral.setAdvertising(false);
    cancelPause?.();
    cancelPause = clock.after(pauseMs, () => {
      cancelPause = undefined;
      advertise();
    });
    ports.onFailed(reason, failures);
  };

  const connected = (connection: PeripheralConnection) => {
    let reason = 'LINK_LOST';
    let ended = false;
    const session = new DeviceSession({
      uuid: ports.deviceUuid,
      setupCode: ports.setupCode,
      random: ports.random,
      // A phone asks for a larger MTU after it has connected.
      get mtuPayload() {
        return connection.mtuPayload;
      },
      state: () => state ?? 'resetting',
      handle: (request) => ports.handle(request),
      send: (chunk) => connection.notify(chunk),
      onConfirmed() {
        cancelDeadline();
        failures = 0;
        ports.onConfirmed();
      },
      onClosed(code) {
        if (reason === 'LINK_LOST') reason = code;
        connection.disconnect(reason);
        end();
      },
    });
    const end = () => {
      if (ended) return;
      ended = true;
      cancelDeadline();
      current = undefined;
      if (!session.confirmed) failed(reason);
      onIdle();
    };
    const cancelDeadline = clock.after(FIRST_MESSAGE_TIMEOUT_MS, () => {
      reason = 'NO_VALID_MESSAGE';
      session.close();
    });
    connection.onWrite((chunk) => session.receive(chunk));
    connection.onDisconnect(() => {
      session.close('LINK_LOST');
      end();
    });
    current = { session, connection };
  };

  return {
    open: () =>
      peripheral.open({
        info: () => encodeInfo({ uuid: ports.deviceUuid, state: state ?? 'resetting' }),
        connected,
        failed: (error) => ports.onRadioFailed(error),
      }),
    setState(next) {
      state = next;
      advertise();
    },
    async finish(lingerMs) {
      finishing = true;
      peripheral.setAdvertising(false);
      if (current === undefined) return;
      const idle = Promise.withResolvers<void>();
      onIdle = () => idle.resolve();
      const cancel = clock.after(lingerMs, onIdle);
      await idle.promise;
      cancel();
    },
    async close() {
      finishing = true;
      cancelPause?.();
      current?.session.close();
      await peripheral.close();
    },
  };
}
