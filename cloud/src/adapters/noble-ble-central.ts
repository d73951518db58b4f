import {
  BleError,
  type BleLink,
  decodeInfo,
  INFO_CHARACTERISTIC_UUID,
  REQUEST_CHARACTERISTIC_UUID,
  RESPONSE_CHARACTERISTIC_UUID,
  SERVICE_UUID,
} from '@ares/protocol/ble';
import type { Characteristic, Noble, Peripheral } from '@stoprocent/noble';

/** What every Bluetooth connection carries: ATT MTU 23. */
const LEAST_MTU_PAYLOAD = 20;
const POWER_ON_MS = 10_000;

/**
 * Connects to a device by the Bluetooth adapter of this computer, the first one with the service of Ares that
 * answers, or the one with `deviceUuid`.
 *
 * @param options.load the library, for tests
 * @throws {BleError} LINK_LOST: no adapter, nothing found within `timeoutMs`, or the connection failed; the message
 *   says what to do
 */
export async function connectBluetooth(options: {
  readonly deviceUuid?: string;
  readonly timeoutMs: number;
  readonly load?: () => Promise<Noble>;
}): Promise<BleLink> {
  const noble = await (options.load ?? loadNoble)();
  try {
    await noble.waitForPoweredOnAsync(POWER_ON_MS);
  } catch (cause) {
    throw lost(
      `The Bluetooth adapter is not usable (${noble.state}). Switch it on, and run this as root or with CAP_NET_RAW and CAP_NET_ADMIN.`,
      cause,
    );
  }
  const tried = new Set<string>();
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    const peripheral = await discover(noble, tried, deadline);
    tried.add(peripheral.id);
    try {
      const link = await open(noble, peripheral);
      if (options.deviceUuid === undefined || decodeInfo(await link.readInfo()).uuid === options.deviceUuid)
        return link;
      await link.disconnect();
    } catch (cause) {
      await peripheral.disconnectAsync().catch(() => undefined);
      // A device that only was out of reach for a moment deserves another attempt.
      tried.delete(peripheral.id);
      if (Date.now() > deadline)
        throw lost('The device was found but the connection failed. Go nearer.', cause);
    }
  }
}

async function loadNoble(): Promise<Noble> {
  try {
    // The default export opens an adapter as it is imported; this makes one on demand.
    const { withBindings } = await import('@stoprocent/noble');
    return withBindings('default');
  } catch (cause) {
    throw lost('This computer has no Bluetooth that Node can use.', cause);
  }
}

function discover(noble: Noble, tried: ReadonlySet<string>, deadline: number): Promise<Peripheral> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(timer);
      noble.removeListener('discover', onDiscover);
      noble.stopScanningAsync().then(settle, settle);
    };
    const onDiscover = (peripheral: Peripheral) => {
      if (!tried.has(peripheral.id)) end(() => resolve(peripheral));
    };
    const timer = setTimeout(
      () =>
        end(() =>
          reject(
            lost(
              'No device of Ares advertises nearby. Is it unprovisioned, or was its button pressed? Go nearer.',
            ),
          ),
        ),
      Math.max(0, deadline - Date.now()),
    );
    noble.on('discover', onDiscover);
    noble
      .startScanningAsync([plain(SERVICE_UUID)], true)
      .catch((cause: unknown) => end(() => reject(lost('The Bluetooth adapter does not scan.', cause))));
  });
}

async function open(noble: Noble, peripheral: Peripheral): Promise<BleLink> {
  await peripheral.connectAsync();
  const uuids = [INFO_CHARACTERISTIC_UUID, REQUEST_CHARACTERISTIC_UUID, RESPONSE_CHARACTERISTIC_UUID].map(
    plain,
  );
  const { characteristics } = await peripheral.discoverSomeServicesAndCharacteristicsAsync(
    [plain(SERVICE_UUID)],
    uuids,
  );
  const [info, request, response] = uuids.map((uuid) => characteristics.find((found) => found.uuid === uuid));
  if (info === undefined || request === undefined || response === undefined)
    throw lost('The device has not the service of Ares.');
  let notified: (chunk: Uint8Array) => void = () => {};
  let disconnected: () => void = () => {};
  let gone = false;
  response.on('data', (chunk: Buffer) => notified(chunk));
  peripheral.once('disconnect', () => {
    gone = true;
    disconnected();
  });
  await response.subscribeAsync();
  return {
    mtuPayload: peripheral.mtu === null ? LEAST_MTU_PAYLOAD : peripheral.mtu - 3,
    readInfo: () => during(info, (characteristic) => characteristic.readAsync()),
    write: (chunk) =>
      during(request, (characteristic) => characteristic.writeAsync(Buffer.from(chunk), false)),
    onNotify(listener) {
      notified = listener;
    },
    onDisconnect(listener) {
      disconnected = listener;
      if (gone) listener();
    },
    async disconnect() {
      if (!gone) await peripheral.disconnectAsync();
      // The library's socket would keep this process.
      noble.stop();
    },
  };
}

async function during<T>(
  characteristic: Characteristic,
  run: (characteristic: Characteristic) => Promise<T>,
): Promise<T> {
  try {
    return await run(characteristic);
  } catch (cause) {
    throw lost('The Bluetooth connection was lost.', cause);
  }
}

/** As the library spells UUIDs. */
function plain(uuid: string): string {
  return uuid.replaceAll('-', '').toLowerCase();
}

function lost(message: string, cause?: unknown): BleError {
  return new BleError('LINK_LOST', message, { cause });
}
