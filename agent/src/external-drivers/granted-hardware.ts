import {
  type DriverClock,
  DriverError,
  GpioError,
  type Hardware,
  type InputLine,
  type OutputLine,
  type PwmLine,
} from '@ares/hardware-drivers';
import type { DescribedPin, HardwareCall } from '../ports/drivers-child.ts';

const MOST_CALLS_AT_ONCE = 32;

type Line = OutputLine | InputLine | PwmLine;

/**
 * The hardware as one driver in another process may use it: the lines of its own component, in the function and
 * polarity that it declared. The lines are opened here, so they are closed, and that means off, when it has gone.
 *
 * Invariant: an output is switched on only within the time that an order gave it, whenever the driver writes.
 */
export class GrantedHardware {
  readonly #hardware: Hardware;
  readonly #clock: DriverClock;
  readonly #pins: readonly DescribedPin[];
  readonly #onEdge: (line: number, on: boolean) => void;
  readonly #lines = new Map<number, { readonly line: Line; unwatch?: () => void }>();
  readonly #opening = new Set<Promise<unknown>>();
  #lastLine = 0;
  #atWork = 0;
  #onUntilMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: {
    readonly hardware: Hardware;
    readonly clock: DriverClock;
    readonly pins: readonly DescribedPin[];
    /** @param line as opening it answered */
    readonly onEdge: (line: number, on: boolean) => void;
  }) {
    this.#hardware = options.hardware;
    this.#clock = options.clock;
    this.#pins = options.pins;
    this.#onEdge = options.onEdge;
  }

  /** For so long from now outputs may be on; 0 for none. */
  allowOn(durationMs: number): void {
    this.#onUntilMs = durationMs > 0 ? this.#clock.monotonicMs() + durationMs : Number.NEGATIVE_INFINITY;
  }

  /** @throws {GpioError} {DriverError} as the hardware does; for what the component was not given PIN_INVALID */
  async handle(call: HardwareCall, signal: AbortSignal): Promise<unknown> {
    if (this.#closed) throw new DriverError('NOT_RUNNING', 'the component was stopped');
    if (this.#atWork >= MOST_CALLS_AT_ONCE)
      throw new DriverError('NOT_RUNNING', `more than ${MOST_CALLS_AT_ONCE} calls to hardware at once`);
    this.#atWork++;
    try {
      return await this.#handle(call, signal);
    } finally {
      this.#atWork--;
    }
  }

  /** Closes every line; outputs are off then. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.allowOn(0);
    await Promise.allSettled(this.#opening);
    await Promise.allSettled([...this.#lines.keys()].map((line) => this.#close(line)));
  }

  async #handle(call: HardwareCall, signal: AbortSignal): Promise<unknown> {
    const { gpio, pwm, dht22Bus, adc, cpu } = this.#hardware;
    switch (call.do) {
      case 'open-output': {
        const { activeLow } = this.#granted(call.bcm, 'output');
        if (call.initial) this.#assertAllowed(call.bcm);
        const line = await this.#open(gpio.openOutput(call.bcm, { activeLow, initial: call.initial }));
        const { guardPath, guardSafeValue } = line.value;
        return { line: line.number, guardPath, guardSafeValue };
      }
      case 'open-input':
        this.#granted(call.bcm, 'input');
        return { line: (await this.#open(gpio.openInput(call.bcm, call.options))).number };
      case 'open-pwm': {
        this.#granted(call.bcm, 'output', true);
        const { frequencyHz } = call;
        return { line: (await this.#open(pwm.open(call.bcm, { frequencyHz }))).number };
      }
      case 'write': {
        const { line } = this.#opened(call.line);
        if (!('write' in line)) return misused(line);
        if (call.on) this.#assertAllowed(line.bcm);
        return line.write(call.on);
      }
      case 'set-share': {
        const { line } = this.#opened(call.line);
        if (!('setShare' in line)) return misused(line);
        if (call.share !== 0) this.#assertAllowed(line.bcm);
        return line.setShare(call.share);
      }
      case 'read-line': {
        const { line } = this.#opened(call.line);
        return 'read' in line ? line.read() : misused(line);
      }
      case 'read-share': {
        const { line } = this.#opened(call.line);
        return 'share' in line ? line.share() : misused(line);
      }
      case 'watch': {
        const entry = this.#opened(call.line);
        if ('watch' in entry.line) entry.unwatch ??= entry.line.watch((on) => this.#onEdge(call.line, on));
        return;
      }
      case 'unwatch': {
        const entry = this.#opened(call.line);
        entry.unwatch?.();
        delete entry.unwatch;
        return;
      }
      case 'close':
        return this.#close(call.line);
      case 'query-dht22': {
        this.#granted(call.bcm, 'one-wire');
        const answer = await dht22Bus.query(call.bcm, signal);
        return answer.kind === 'frame' ? { kind: 'frame', bytes: [...answer.bytes] } : answer;
      }
      case 'read-adc':
        return adc.readRatio(call.channel, signal);
      case 'sample-cpu':
        return cpu.sample();
    }
  }

  #granted(bcm: number, use: DescribedPin['function'], pulsed = false): DescribedPin {
    const pin = this.#pins.find((one) => one.bcm === bcm && one.function === use && one.pulsed === pulsed);
    if (pin !== undefined) return pin;
    const what = pulsed ? 'output with pulses' : use;
    throw new GpioError('PIN_INVALID', `GPIO ${bcm} is not declared as ${what} among the component's pins`, {
      bcm,
    });
  }

  #assertAllowed(bcm: number): void {
    if (this.#clock.monotonicMs() >= this.#onUntilMs)
      throw new DriverError('NOT_RUNNING', `GPIO ${bcm} may be on only while an order lasts`, {
        details: { bcm },
      });
  }

  async #open<Opened extends Line>(opening: Promise<Opened>) {
    this.#opening.add(opening);
    try {
      const value = await opening;
      const number = ++this.#lastLine;
      this.#lines.set(number, { line: value });
      return { number, value };
    } finally {
      this.#opening.delete(opening);
    }
  }

  #opened(number: number) {
    const entry = this.#lines.get(number);
    if (entry === undefined) throw new GpioError('LINE_CLOSED', 'the line was closed');
    return entry;
  }

  async #close(number: number): Promise<void> {
    const entry = this.#lines.get(number);
    this.#lines.delete(number);
    entry?.unwatch?.();
    await entry?.line.close();
  }
}

function misused({ bcm }: Line): never {
  throw new GpioError('IO_FAILED', 'the line was opened for something else', { bcm });
}
