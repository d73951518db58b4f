import type { Clock } from '../../ports/clock.ts';
import type { ChosenAdapter } from './choose-adapter.ts';
import { type HciSocket, RadioError } from './library.ts';

/** The kernel keeps an adapter busy for about two seconds after its user was killed. */
const WAIT_FOR_ADAPTER_MS = 15_000;
const POLL_MS = 250;
const POWER_WITHIN_MS = 3_000;

const MGMT_SET_POWERED = 0x0005;

/**
 * Binds a socket to the adapter, down for the user channel and up for the raw one as the kernel wants it. Waits
 * while the adapter is busy, fifteen seconds at most.
 *
 * @param makeSocket a socket that is not bound
 * @throws {RadioError} BUSY, NOT_ALLOWED, BLOCKED, NOT_WORKING
 */
export async function takeAdapter(
  { index, channel }: ChosenAdapter,
  makeSocket: () => HciSocket,
  clock: Pick<Clock, 'after' | 'monotonicMs'>,
): Promise<HciSocket> {
  const up = channel === 'raw';
  const deadline = clock.monotonicMs() + WAIT_FOR_ADAPTER_MS;
  const socket = makeSocket();
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
  });
  for (;;) {
    if (isUp(socket, index) !== up) await setPower(makeSocket(), index, up, clock);
    try {
      if (channel === 'user') socket.bindUser(index);
      else socket.bindRaw(index);
      if (failure !== undefined) throw failure;
      return socket;
    } catch (cause) {
      failure = undefined;
      const error = explain(cause as NodeJS.ErrnoException, index);
      if (error.code !== 'BUSY' || clock.monotonicMs() > deadline) throw error;
      await wait(clock, POLL_MS);
    }
  }
}

/** Asks the kernel's management interface, so that no tool is needed, and waits until it is so or it is too long. */
async function setPower(
  socket: HciSocket,
  index: number,
  on: boolean,
  clock: Pick<Clock, 'after' | 'monotonicMs'>,
): Promise<void> {
  // What is refused shows when the adapter is bound.
  socket.on('error', () => {});
  const command = Buffer.alloc(7);
  command.writeUInt16LE(MGMT_SET_POWERED, 0);
  command.writeUInt16LE(index, 2);
  command.writeUInt16LE(1, 4);
  command.writeUInt8(on ? 1 : 0, 6);
  try {
    socket.bindControl();
    socket.write(command);
  } catch {
    return;
  }
  const deadline = clock.monotonicMs() + POWER_WITHIN_MS;
  while (isUp(socket, index) !== on && clock.monotonicMs() < deadline) await wait(clock, POLL_MS);
}

function isUp(socket: HciSocket, index: number): boolean {
  return socket.getDeviceList().some(({ devId, devUp }) => devId === index && devUp === true);
}

function explain(cause: NodeJS.ErrnoException, index: number): RadioError {
  const said = `${cause.code ?? ''} ${cause.message}`;
  if (/EBUSY|resource busy/i.test(said))
    return new RadioError(
      'BUSY',
      `Another program holds the Bluetooth adapter hci${index}. Stop it, or set bleChannel to raw.`,
      { cause },
    );
  if (/EPERM|EACCES|not permitted|permission denied/i.test(said))
    return new RadioError(
      'NOT_ALLOWED',
      `This program may not use the Bluetooth adapter hci${index}: it needs CAP_NET_ADMIN and CAP_NET_RAW.`,
      { cause },
    );
  if (/ERFKILL|RF-kill/i.test(said))
    return new RadioError('BLOCKED', 'Bluetooth is blocked by rfkill. Run: sudo rfkill unblock bluetooth', {
      cause,
    });
  return new RadioError('NOT_WORKING', `The Bluetooth adapter hci${index} cannot be used: ${cause.message}`, {
    cause,
  });
}

function wait(clock: Pick<Clock, 'after'>, milliseconds: number): Promise<void> {
  return new Promise((resolve) => void clock.after(milliseconds, resolve));
}
