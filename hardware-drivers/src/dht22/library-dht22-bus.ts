import { DriverError, reasonOf } from '../errors.ts';
import type { Dht22Bus, DriverClock } from '../hardware.ts';

/** What of `node-dht-sensor` is used. Temperatures in °C, humidity in %. */
export interface DhtLibrary {
  setMaxRetries(retries: number): void;
  read(
    type: 22,
    bcm: number,
    done: (error: Error | null, temperature: number, humidity: number) => void,
  ): void;
}

export interface LibraryDht22Options {
  /** As the device tree names the board; undefined where there is none. */
  readonly model: string | undefined;
  readonly clock: DriverClock;
  /** The date that the library goes by, ms. */
  readonly now: () => number;
  /** For tests. */
  readonly load?: () => Promise<DhtLibrary>;
}

/** The library writes to registers of the BCM2835 and its descendants; anything else has others at that place. */
const drivableBoards = /^Raspberry Pi (Model [AB]|Zero|[234] |400 |Compute Module (Rev|[34]S? ))/;
/** Within this time after a good read the library repeats its values as if they were new. */
const keptMs = 3_000;

/**
 * DHT22 by `node-dht-sensor`, which times the pulses itself, in a thread of the pool. One at a time, one attempt each:
 * the library's own retries come too soon for the sensor. It cannot say whether a checksum was wrong or nothing came.
 *
 * Source: node-dht-sensor 0.4.5, src/dht-sensor.cpp.
 *
 * @throws {DriverError} HARDWARE_MISSING on a board whose registers it does not know, or when it is not installed
 */
export async function openLibraryDht22Bus(options: LibraryDht22Options): Promise<Dht22Bus> {
  const { model, clock, now } = options;
  if (model === undefined || !drivableBoards.test(model))
    throw new DriverError(
      'HARDWARE_MISSING',
      `node-dht-sensor cannot drive the lines of ${model === undefined ? 'this board' : `a ${model}`}`,
    );
  const library = await (options.load ?? loadLibrary)().catch((cause: unknown) => {
    throw new DriverError('HARDWARE_MISSING', `node-dht-sensor does not load: ${reasonOf(cause)}`, { cause });
  });
  library.setMaxRetries(0);
  const good = new Map<
    number,
    { readonly beganAt: number; readonly endedAt: number; readonly endedAtMs: number }
  >();
  let turn: Promise<unknown> = Promise.resolve();

  /** By both clocks: the library goes by the date, which may be set back meanwhile. */
  const untilFresh = async (bcm: number, signal: AbortSignal) => {
    for (;;) {
      const last = good.get(bcm);
      if (last === undefined) return;
      const leftMs = last.endedAtMs + keptMs - clock.monotonicMs();
      const date = now();
      const leftByDate = date < last.beganAt ? 0 : last.endedAt + keptMs - date;
      const waitMs = Math.max(leftMs, leftByDate);
      if (waitMs <= 0) return;
      await clock.delay(Math.min(waitMs, keptMs), signal);
    }
  };

  return {
    query: async (bcm, signal) => {
      await untilFresh(bcm, signal);
      // Reads of two lines would only wait for each other inside, each holding a thread of the pool.
      const reading = turn.then(async () => {
        signal.throwIfAborted();
        const beganAt = now();
        const values = await read(library, bcm);
        good.set(bcm, { beganAt, endedAt: now(), endedAtMs: clock.monotonicMs() });
        return values;
      });
      turn = reading.catch(() => undefined);
      const [temperatureCelsius, humidityPercent] = await reading;
      return { kind: 'values', temperatureCelsius, humidityPercent };
    },
  };
}

function read(library: DhtLibrary, bcm: number): Promise<readonly [number, number]> {
  return new Promise((resolve, reject) => {
    library.read(22, bcm, (error, temperature, humidity) => {
      if (error === null || error === undefined) resolve([tenth(temperature), tenth(humidity)]);
      else reject(asDriverError(error));
    });
  });
}

function asDriverError(cause: Error): DriverError {
  const { message } = cause;
  if (message.includes('initialize'))
    return new DriverError(
      'HARDWARE_MISSING',
      `node-dht-sensor cannot reach the lines (${message}): may this user open /dev/gpiomem?`,
      { cause },
    );
  return new DriverError('NO_ANSWER', `no whole answer (${message}); look at sensor, wire and pull-up`, {
    cause,
  });
}

/** The library's 32-bit floats show digits that the sensor never sent. */
function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}

async function loadLibrary(): Promise<DhtLibrary> {
  // @ts-expect-error it comes without types
  const module = (await import('node-dht-sensor')) as { default: DhtLibrary };
  return module.default;
}
