import { valuesOf } from '../dht22/dht22-frame.ts';
import type { Dht22Bus } from '../hardware.ts';
import { rejectionOf, type TestApi } from './test-api.ts';

/** What the sensor on a line does from now on. */
export type Dht22State =
  | { readonly temperatureCelsius: number; readonly humidityPercent: number }
  | 'checksum'
  | 'missing';

/** A bus under test with one sensor on BCM 4, and none on 22. */
export interface Dht22Bench extends AsyncDisposable {
  readonly bus: Dht22Bus;
  set(state: Dht22State): Promise<void>;
  /** Lets the time pass that a driver waits between two queries. */
  rest(): Promise<void>;
  /** Whether a query can hang; then the sensor takes its time from now on. Left out where it cannot. */
  hang?(): Promise<void>;
}

/** What every adapter of the DHT22 bus must do: the values of the sensor as it is now, or a refusal. */
export function describeDht22Bus(api: TestApi, name: string, openBench: () => Promise<Dht22Bench>): void {
  const { describe, it, expect } = api;
  const test = (title: string, body: (bench: Dht22Bench) => Promise<void>) =>
    it(title, async () => {
      await using bench = await openBench();
      await body(bench);
    });
  const ask = async (bus: Dht22Bus, bcm = 4) => valuesOf(await bus.query(bcm, new AbortController().signal));
  const codeOf = (error: unknown) => (error as { code?: string }).code ?? String(error);

  describe(`DHT22 bus ${name}`, () => {
    test('answers with what the sensor measures, below zero too', async ({ bus, set, rest }) => {
      for (const values of [
        { temperatureCelsius: 21.4, humidityPercent: 60.1 },
        { temperatureCelsius: -10.1, humidityPercent: 99.9 },
        { temperatureCelsius: 0, humidityPercent: 30 },
      ]) {
        await set(values);
        expect(await ask(bus)).toMatchObject(values);
        await rest();
      }
    });

    test('hands out no value of the query before, whatever it is asked after the rest', async ({
      bus,
      set,
      rest,
    }) => {
      await set({ temperatureCelsius: 20, humidityPercent: 50 });
      await ask(bus);
      await rest();
      await set({ temperatureCelsius: 20.5, humidityPercent: 51 });
      expect(await ask(bus)).toMatchObject({ temperatureCelsius: 20.5, humidityPercent: 51 });
      await rest();
      await set('missing');
      expect(codeOf(await rejectionOf(() => ask(bus)))).toBe('NO_ANSWER');
    });

    test('refuses a bad frame, and has values again when the sensor has', async ({ bus, set, rest }) => {
      await set('checksum');
      const code = codeOf(await rejectionOf(() => ask(bus)));
      // A library that decodes may not tell the two apart.
      expect(['CHECKSUM', 'NO_ANSWER'].includes(code), code).toBe(true);
      await rest();
      await set({ temperatureCelsius: 20, humidityPercent: 50 });
      expect(await ask(bus)).toMatchObject({ temperatureCelsius: 20 });
    });

    test('has no value for a line without a sensor', async ({ bus, set }) => {
      await set({ temperatureCelsius: 20, humidityPercent: 50 });
      const code = codeOf(await rejectionOf(() => ask(bus, 22)));
      expect(['NO_ANSWER', 'HARDWARE_MISSING'].includes(code), code).toBe(true);
    });

    test('lets go at once of a query that is given up', async ({ bus, set, hang }) => {
      if (hang === undefined) return;
      await set({ temperatureCelsius: 20, humidityPercent: 50 });
      await hang();
      const call = new AbortController();
      const query = bus.query(4, call.signal);
      call.abort(new Error('given up'));
      expect(String(await rejectionOf(() => query))).toBe('Error: given up');
    });
  });
}
