import type { BleDeviceState, BleRequest, BleResponse, DeviceErrorCode } from '@ares/protocol/ble';
import { fromBleChildSchema, type ToBleChild } from '../ports/ble-child.ts';
import type { BleChildInput, ChildChannel, ChildJobs } from '../ports/child-jobs.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';

/** A request that is refused, with the code that the phone is told. */
export class BleRefusal extends Error {
  override readonly name = 'BleRefusal';
  readonly code: DeviceErrorCode;

  constructor(code: DeviceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** When phones may talk to the device. */
export interface BleWindow {
  /** Opens it, for `durationMs` or until it is closed; a longer one replaces a shorter one. */
  open(durationMs?: number): void;
  /** Closes it; a session that stands may read the end of its transaction for `lingerMs`. */
  close(lingerMs?: number): Promise<void>;
  setState(state: BleDeviceState): void;
  readonly isOpen: boolean;
  /** Why phones find nothing although it is open, for its owner; undefined when the radio works. */
  readonly problem: string | undefined;
}

const REOPEN_AFTER_MS = 5_000;
const REOPEN_MAX_MS = 60_000;

/**
 * Keeps a child that owns the radio alive exactly while the window is open.
 *
 * Invariants: at most one child; a child that ends by itself is replaced while the window is open, after five
 * seconds and, as long as the radio cannot be used, after twice as long each time up to a minute; each learns the
 * present state before it advertises.
 */
export function createBleWindow(ports: {
  readonly jobs: ChildJobs;
  readonly input: BleChildInput;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: BleDeviceState;
  handle(request: BleRequest): Promise<BleResponse>;
}): BleWindow {
  const { jobs, input, clock, logger } = ports;
  let state = ports.state;
  let child: ChildChannel | undefined;
  let wanted = false;
  let closesAt: number | undefined;
  let cancelTimer: () => void = () => {};
  let cancelReopen: () => void = () => {};
  let closing: Promise<void> | undefined;
  let problem: string | undefined;
  let reopenAfterMs = REOPEN_AFTER_MS;

  const tell = (to: ChildChannel | undefined, message: ToBleChild) => to?.send(message);

  const answer = async (from: ChildChannel, id: number, request: BleRequest) => {
    try {
      tell(from, { type: 'answer', id, response: await ports.handle(request) });
    } catch (cause) {
      if (!(cause instanceof BleRefusal))
        logger.error('a Bluetooth request failed', { request: request.type, cause });
      const known = cause instanceof BleRefusal ? cause : undefined;
      const detail = known?.message ?? 'The device could not do that; its log says why.';
      tell(from, { type: 'refusal', id, code: known?.code ?? 'INTERNAL', detail });
    }
  };

  const listen = (from: ChildChannel, said: unknown) => {
    const parsed = fromBleChildSchema.safeParse(said);
    if (!parsed.success) {
      // Not what: it may be a phone's secret.
      logger.error('the Bluetooth process says what it never should, and is ended');
      return void from.close();
    }
    const message = parsed.data;
    switch (message.type) {
      case 'open':
        problem = undefined;
        reopenAfterMs = REOPEN_AFTER_MS;
        return logger.info('Bluetooth is open', { state });
      case 'unavailable':
        // Once for each reason: it is tried again and again.
        if (problem !== message.detail) logger.error('Bluetooth cannot be used', { detail: message.detail });
        problem = message.detail;
        return;
      case 'confirmed':
        return logger.info('a phone that knows the setup code has connected');
      case 'failed-session':
        return logger.warn('a Bluetooth session failed before it was confirmed', {
          reason: message.reason,
          failuresInARow: message.failuresInARow,
        });
      case 'request':
        void answer(from, message.id, message.request);
    }
  };

  const start = () => {
    const own = jobs.openBle(input);
    child = own;
    own.onMessage((message) => listen(own, message));
    tell(own, { type: 'state', state });
    void own.closed.then((error) => {
      if (child !== own) return;
      child = undefined;
      if (!wanted) return;
      if (problem === undefined) {
        logger.warn('the Bluetooth process ended and is started again', { cause: error });
        problem = 'The Bluetooth process ended by itself and is started again.';
      }
      cancelReopen = clock.after(reopenAfterMs, start);
      reopenAfterMs = Math.min(reopenAfterMs * 2, REOPEN_MAX_MS);
    });
  };

  const close = async (lingerMs = 0) => {
    wanted = false;
    problem = undefined;
    reopenAfterMs = REOPEN_AFTER_MS;
    cancelTimer();
    cancelReopen();
    const own = child;
    if (own === undefined) return;
    logger.info('Bluetooth closes');
    tell(own, { type: 'finish', lingerMs });
    const cancel = clock.after(lingerMs + 1_000, () => void own.close());
    await own.closed;
    cancel();
    if (child === own) child = undefined;
  };

  return {
    open(durationMs) {
      cancelTimer();
      const until = durationMs === undefined ? undefined : clock.monotonicMs() + durationMs;
      const longer = !wanted || until === undefined || (closesAt !== undefined && until > closesAt);
      if (longer) closesAt = until;
      if (closesAt !== undefined) {
        cancelTimer = clock.after(closesAt - clock.monotonicMs(), () => void close());
      }
      if (wanted) return;
      wanted = true;
      void (closing ?? Promise.resolve()).then(() => {
        if (wanted && child === undefined) start();
      });
    },
    close(lingerMs) {
      closing = close(lingerMs);
      return closing;
    },
    setState(next) {
      state = next;
      tell(child, { type: 'state', state });
    },
    get isOpen() {
      return wanted;
    },
    get problem() {
      return problem;
    },
  };
}
