import type { DhtLibrary } from '../../src/dht22/library-dht22-bus.ts';
import type { Dht22State } from '../../src/testing/index.ts';

/**
 * Does what node-dht-sensor 0.4.5 does: `read` calls back with values or an Error, and within 3 s after a good read it
 * gives the values of that read again without any error, going by the date.
 */
export function dhtLibrary(now: () => number): {
  readonly library: DhtLibrary;
  state: Dht22State;
  readonly reads: number[];
  retries: number | undefined;
} {
  const kept = new Map<number, { at: number; values: readonly [number, number] }>();
  const bench = {
    state: 'missing' as Dht22State,
    reads: [] as number[],
    retries: undefined as number | undefined,
    library: {
      setMaxRetries: (retries: number) => {
        bench.retries = retries;
      },
      read: (_type: 22, bcm: number, done: Parameters<DhtLibrary['read']>[2]) => {
        bench.reads.push(bcm);
        const last = kept.get(bcm);
        const age = now() - (last?.at ?? 0);
        if (last !== undefined && age >= 0 && age < 3_000) return done(null, ...last.values);
        const { state } = bench;
        if (typeof state === 'string' || bcm !== 4)
          return done(new Error('failed to read sensor'), Number.NaN, Number.NaN);
        const values = [Math.fround(state.temperatureCelsius), Math.fround(state.humidityPercent)] as const;
        kept.set(bcm, { at: now(), values });
        done(null, ...values);
      },
    },
  };
  return bench;
}
