import { defineDriver } from '../define-driver.ts';
import { DriverError } from '../errors.ts';
import type { DriverClock } from '../hardware.ts';
import { z } from '../schema.ts';
import { SwitchedOutput } from './switched-output.ts';

/** What tells one switched part from another. */
export interface SwitchedPart {
  readonly type: string;
  readonly summary: string;
  readonly stateKey: string;
  /** Unless the config says otherwise. */
  readonly activeLow: boolean;
  /** No config may allow a longer run. */
  readonly hardLimitMs: number;
  /** Longest run unless the config says otherwise. */
  readonly longestRunMs: number;
}

/** Relays and motors bear no faster change. */
const defaultRestMs = 500;
const longestRestMs = 3_600_000;

/** A driver for a part that one line switches on for a while and that needs a rest between two runs. */
export function defineSwitchedPart(part: SwitchedPart) {
  const { type, hardLimitMs } = part;
  return defineDriver({
    apiVersion: 1,
    type,
    kind: 'actuator',
    summary: part.summary,
    config: z.strictObject({
      activeLow: z.withDefault(z.boolean(), part.activeLow),
      longestRunMs: z.withDefault(z.int().check(z.gte(100), z.lte(hardLimitMs)), part.longestRunMs),
      minimumOffMs: z.withDefault(z.int().check(z.gte(0), z.lte(longestRestMs)), defaultRestMs),
    }),
    pins: { line: { function: 'output', activeLow: ({ activeLow }) => activeLow } },
    metrics: { state: { unit: '1', min: 0, max: 1, stateKey: part.stateKey } },
    sampleIntervalMs: 60_000,
    actions: {
      on: {
        summary: 'Run for durationMs',
        args: z.strictObject({ durationMs: z.int().check(z.gte(1), z.lte(hardLimitMs)) }),
        longestRunMs: hardLimitMs,
      },
    },
    limits: ({ longestRunMs, minimumOffMs }) => ({ longestRunMs, minimumOffMs }),
    create: ({ pins: { line: bcm }, config: { activeLow, minimumOffMs }, hardware, clock, logger }) => {
      const output = new SwitchedOutput({
        what: type,
        bcm,
        open: () => hardware.gpio.openOutput(bcm, { activeLow, initial: false }),
      });
      const rest = new Rest(type, clock, minimumOffMs);
      return {
        start: async () => {
          await output.open();
          rest.begin();
        },
        run: {
          on: async ({ durationMs }) => {
            rest.admit(await output.isOn());
            await output.set(true);
            logger.info(`${type} on`, { bcm, durationMs });
          },
        },
        off: async () => {
          await output.set(false);
          rest.ended();
        },
        read: async () => [{ metric: 'state', value: (await output.isOn()) ? 1 : 0 }],
        stop: () => output.close(),
      };
    },
  });
}

/** The rest between two runs. It counts from start too, because nobody knows for how long the part was off before. */
class Rest {
  readonly #type: string;
  readonly #clock: DriverClock;
  readonly #minimumOffMs: number;
  #offSinceMs = 0;
  #switchedOn = false;

  constructor(type: string, clock: DriverClock, minimumOffMs: number) {
    this.#type = type;
    this.#clock = clock;
    this.#minimumOffMs = minimumOffMs;
  }

  begin(): void {
    this.#offSinceMs = this.#clock.monotonicMs();
  }

  /** @param running as read back: a second "on" while it runs is a renewal and needs no rest. @throws {DriverError} MINIMUM_OFF_TIME */
  admit(running: boolean): void {
    // The guard, or a hand, ended the run behind our back: the rest counts from now, when we notice.
    if (!running) this.ended();
    const restedMs = this.#clock.monotonicMs() - this.#offSinceMs;
    if (!running && restedMs < this.#minimumOffMs)
      throw new DriverError(
        'MINIMUM_OFF_TIME',
        `the ${this.#type} rests for ${this.#minimumOffMs} ms between runs; try again later`,
        { details: { retryAfterMs: Math.ceil(this.#minimumOffMs - restedMs) } },
      );
    this.#switchedOn = true;
  }

  /** It is off; what was off already goes on resting. */
  ended(): void {
    if (!this.#switchedOn) return;
    this.#switchedOn = false;
    this.begin();
  }
}
