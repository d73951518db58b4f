import { DriverError } from '../errors.ts';
import type { LineLevel } from '../gpio/gpio-line.ts';
import type { CpuSample, Dht22Answer, DriverLogger, Hardware } from '../hardware.ts';
import { createFakeGpio, type FakeGpio } from './fake-gpio.ts';
import { createFakePwm, type FakePwm } from './fake-pwm.ts';

/** One query of a mock bus: an answer, an error to throw, or `hang` for a part that never answers. */
export type MockAnswer<T> = T | Error | 'hang';

/** Hardware whose every part does what a test says. Parts that were told nothing do not answer. */
export interface MockHardware extends Hardware {
  readonly gpio: FakeGpio;
  readonly pwm: FakePwm;
  /** What is behind the path of a safe output. */
  guarded(path: string): GuardedOutput;
  /** Answers of the DHT22 on a line, one a query; the last one is repeated. */
  setDht22(bcm: number, ...answers: MockAnswer<Dht22Answer>[]): void;
  /** Share of the reference voltage on a channel. */
  setAdc(channel: number, ratio: MockAnswer<number>): void;
  setCpu(sample: MockAnswer<CpuSample>): void;
  /** How often the DHT22 on a line was asked. */
  dht22Queries(bcm: number): number;
}

/** An output as a guard outside of the process knows it. */
export interface GuardedOutput {
  level(): LineLevel;
  drive(level: LineLevel): void;
  /** Makes it keep its state whatever is written. */
  stick(): void;
}

export function createMockHardware(): MockHardware {
  const gpio = createFakeGpio();
  const pwm = createFakePwm();
  const frames = new Map<number, MockAnswer<Dht22Answer>[]>();
  const ratios = new Map<number, MockAnswer<number>>();
  const queries = new Map<number, number>();
  let cpu: MockAnswer<CpuSample> | undefined;
  return {
    name: 'mock hardware',
    gpio,
    pwm,
    guarded: (path) => {
      const [, kind, bcm] = /^\/fake\/(gpio|pwm)(\d+)\//.exec(path) ?? [];
      const line = Number(bcm);
      if (kind === 'gpio')
        return {
          level: () => gpio.level(line),
          drive: (level) => gpio.drive(line, level),
          stick: () => gpio.stick(line),
        };
      return {
        level: () => (pwm.shareOf(line) > 0 ? '1' : '0'),
        drive: (level) => pwm.enable(line, level === '1'),
        stick: () => pwm.stick(line),
      };
    },
    dht22Bus: {
      query: async (bcm, signal) => {
        const asked = queries.get(bcm) ?? 0;
        queries.set(bcm, asked + 1);
        const answers = frames.get(bcm) ?? [];
        return give(answers[Math.min(asked, answers.length - 1)], `DHT22 on BCM ${bcm}`, signal);
      },
    },
    adc: { readRatio: (channel, signal) => give(ratios.get(channel), `channel ${channel}`, signal) },
    cpu: { sample: () => give(cpu, 'cpu') },
    setDht22: (bcm, ...answers) => {
      frames.set(bcm, answers);
      queries.set(bcm, 0);
    },
    setAdc: (channel, ratio) => ratios.set(channel, ratio),
    setCpu: (sample) => {
      cpu = sample;
    },
    dht22Queries: (bcm) => queries.get(bcm) ?? 0,
  };
}

/** A logger that says nothing. */
export const silentLogger: DriverLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

async function give<T>(answer: MockAnswer<T> | undefined, what: string, signal?: AbortSignal): Promise<T> {
  if (answer === undefined) throw new DriverError('NO_ANSWER', `${what} does not answer`);
  if (answer instanceof Error) throw answer;
  if (answer === 'hang')
    return new Promise((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  return answer;
}
