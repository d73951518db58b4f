import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeDht22Frame } from '../dht22/dht22-frame.ts';
import { createGreenhouse, type Dht22Fault, type Greenhouse } from './greenhouse.ts';
import { type BoardReport, boardNowMs } from './level-log.ts';
import { LineWatch } from './line-watch.ts';
import { defaultWiring } from './wiring.ts';

export interface BoardOptions {
  readonly dir: string;
  readonly speed: number;
  readonly seed: number;
  readonly pumpPin: number;
  readonly pumpActiveLow: boolean;
  readonly dht22Pin: number;
}

/** A DHT22 measures every two seconds of its time. */
const measureEveryMs = 2_000;
/** Standard deviations of the sensors' noise, in their units. */
const noise = { celsius: 0.1, percent: 0.4, ratio: 0.002 };
/** Output of a capacitive probe as a share of the reference voltage: falls as the soil gets wetter. */
const probe = { dry: 0.85, wet: 0.35 };

/**
 * A simulated board with a greenhouse around it, in a folder:
 * `gpio/gpio<BCM>/{value,direction}`, `dht22/<BCM>/frame` (10 hex digits), `adc/<channel>` (0..1), `levels.log`, `ready`.
 * Any process reads and writes them; nothing here knows of an agent.
 */
export class Board {
  readonly #options: BoardOptions;
  readonly #greenhouse: Greenhouse;
  readonly #lines: LineWatch;
  readonly #faults = new Map<number, Dht22Fault>();
  readonly #timer: NodeJS.Timeout;
  #steppedAtMs = boardNowMs();

  constructor(options: BoardOptions) {
    this.#options = options;
    this.#greenhouse = createGreenhouse({ seed: options.seed });
    mkdirSync(options.dir, { recursive: true });
    this.#lines = new LineWatch({
      dir: options.dir,
      activeLow: options.pumpActiveLow ? [options.pumpPin] : [],
      onChange: (bcm) => {
        if (bcm === options.pumpPin) this.#step();
      },
    });
    this.#measure();
    this.#timer = setInterval(() => this.#measure(), Math.max(20, measureEveryMs / options.speed));
    writeFileSync(join(options.dir, 'ready'), `${process.pid}\n`);
  }

  /** Makes the DHT22 on a line misbehave from now on, or behave again. */
  setDht22Fault(pin: number, fault: Dht22Fault): void {
    this.#faults.set(pin, fault);
    this.#measure();
  }

  /** Drives an input from outside. */
  drive(pin: number, level: 0 | 1): void {
    this.#lines.drive(pin, level);
  }

  report(): BoardReport {
    const lines = this.#lines.report();
    const pump = lines[this.#options.pumpPin]!;
    return { lines, pumpOnMs: pump.onMs, pumpStarts: pump.starts };
  }

  /** Ends the simulation. Levels stay as they are: a board without its simulation is still a board. */
  close(): void {
    clearInterval(this.#timer);
    this.#lines.close();
    rmSync(join(this.#options.dir, 'ready'), { force: true });
  }

  /** Brings the greenhouse to now with the pump as it was until now. */
  #step(): void {
    const nowMs = boardNowMs();
    const elapsedMs = (nowMs - this.#steppedAtMs) * this.#options.speed;
    this.#steppedAtMs = nowMs;
    this.#greenhouse.step(elapsedMs, { pumpOn: this.#lines.isOn(this.#options.pumpPin) });
  }

  #measure(): void {
    this.#step();
    const { temperatureCelsius, humidityPercent, soilMoisture } = this.#greenhouse.state;
    const frame = encodeDht22Frame({
      temperatureCelsius: this.#greenhouse.noisy(temperatureCelsius, noise.celsius),
      humidityPercent: Math.min(99.9, Math.max(0.1, this.#greenhouse.noisy(humidityPercent, noise.percent))),
    });
    this.#writeFrame(this.#options.dht22Pin, frame);
    const ratio = probe.dry + (probe.wet - probe.dry) * soilMoisture;
    replace(
      join(this.#options.dir, 'adc', String(defaultWiring.soilMoisture)),
      this.#greenhouse.noisy(ratio, noise.ratio).toFixed(4),
    );
  }

  #writeFrame(pin: number, frame: Uint8Array): void {
    const path = join(this.#options.dir, 'dht22', String(pin), 'frame');
    switch (this.#faults.get(pin) ?? 'none') {
      case 'none':
        replace(path, Buffer.from(frame).toString('hex'));
        break;
      case 'checksum':
        replace(path, Buffer.from(frame.with(4, frame[4]! ^ 0x01)).toString('hex'));
        break;
      case 'missing':
        rmSync(path, { force: true });
        break;
      case 'stuck':
        break;
    }
  }
}

/** Whole or not at all, for whoever reads at the same moment. */
function replace(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.next`, text);
  renameSync(`${path}.next`, path);
}
