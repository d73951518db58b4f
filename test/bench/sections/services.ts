import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchCloud, startBenchCloud } from '../bench-cloud.ts';
import { type Commander, startCommander } from '../commander.ts';
import { enrolFleet } from '../ingest/enrol.ts';
import { type Fleet, startFleet } from '../ingest/fleet-handle.ts';
import { IN_FLIGHT, type Shape, shapes } from '../ingest/shapes.ts';
import { type StoreRun, storeReadings } from '../ingest/store-run.ts';
import type { Figure, Section, SectionContext } from '../report.ts';
import { median, percentile } from '../statistics.ts';

const ROUNDS = 5;
/** On a machine that is busy with something else fewer rounds have to do. */
const ROUNDS_WITHIN_MS = 60_000;
/** Of all devices together, in each round. */
const MESSAGES = 10_000;
const COMMANDS = 200;
const stacks = ['built in', 'services'] as const;
type Stack = (typeof stacks)[number];
type ByStack<T> = Record<Stack, T>;

const baselineName = 'aedes, memory';
const paced = { readingsPerMessage: 10, messages: 2_000, messagesPerSecond: 1_000 };

/** Readings and commands by Mosquitto and Redis, against the broker and the state store that are built in. */
export const services: Section = async (context) => {
  await using stack = new AsyncDisposableStack();
  const clouds = {} as ByStack<BenchCloud>;
  for (const name of stacks) {
    const home = join(context.home, name.replace(' ', '-'));
    const cloud = await startBenchCloud({
      home,
      profileDir: context.profileDir,
      services: name === 'services',
    });
    stack.defer(() => cloud.stop());
    clouds[name] = cloud;
  }
  const readings = await measureReadings(clouds, context);
  const roundTrips = await measureCommands(clouds, context);
  return {
    figures: [
      ...shapes.map((shape, i) => rateFigure(shape, readings.flatOut[i]!)),
      ...[0.5, 0.99].map((share) => latencyFigure(readings.paced, share)),
      ...[0.5, 0.99].map((share): Figure => {
        const [value, baseline] = [
          percentile(roundTrips.services, share),
          percentile(roundTrips['built in'], share),
        ];
        const name = `command API → device → back, p${share * 100}`;
        return { name, value, unit: 'ms', baseline: { name: baselineName, value: baseline } };
      }),
    ],
    remarks: [
      `${context.devices} devices with a certificate each in each of two clouds that take turns, median of ${readings.paced.services.length} rounds; ingest, API and jobs of a cloud in one process; what is not built in runs on the same cores.`,
      `Afterwards the database held exactly the readings that were acknowledged. ${COMMANDS} commands to a bundled agent of each cloud, in turn.`,
      ...shapes.map((shape, i) => cpuRemark(shape, readings.flatOut[i]!)),
    ],
  };
};

async function measureReadings(clouds: ByStack<BenchCloud>, { devices, home, say }: SectionContext) {
  await using stack = new AsyncDisposableStack();
  const fleets = {} as ByStack<Fleet>;
  for (const name of stacks) {
    const folder = join(home, `fleet-${name.replace(' ', '-')}`);
    mkdirSync(folder, { mode: 0o700 });
    fleets[name] = await startFleet(await enrolFleet(clouds[name], devices), folder);
    stack.defer(() => fleets[name].end());
  }
  const inFlight = IN_FLIGHT;
  const run = (name: Stack, readingsPerMessage: number, messages: number, messagesPerSecond?: number) =>
    storeReadings(clouds[name], fleets[name], {
      readingsPerMessage,
      messagesPerDevice: Math.ceil(messages / devices),
      inFlight,
      ...(messagesPerSecond !== undefined && { messagesPerSecond }),
    });
  for (const name of stacks) await run(name, 10, 20 * devices);
  const flatOut = shapes.map((): ByStack<StoreRun[]> => ({ 'built in': [], services: [] }));
  const pacedRuns: ByStack<StoreRun[]> = { 'built in': [], services: [] };
  const end = performance.now() + ROUNDS_WITHIN_MS;
  for (let round = 1; round <= ROUNDS && (round < 3 || performance.now() < end); round += 1) {
    // In turn, so that what else the machine does meets both.
    for (const name of stacks) {
      for (const [i, shape] of shapes.entries()) {
        const one = await run(name, shape.readingsPerMessage, MESSAGES);
        say(`round ${round}, ${name}, ${shape.name}: ${Math.round(one.readingsPerSecond)} readings/s`);
        flatOut[i]![name].push(one);
      }
      pacedRuns[name].push(
        await run(name, paced.readingsPerMessage, paced.messages, paced.messagesPerSecond),
      );
    }
  }
  return { flatOut, paced: pacedRuns };
}

async function measureCommands(
  clouds: ByStack<BenchCloud>,
  { home, say }: SectionContext,
): Promise<ByStack<number[]>> {
  await using stack = new AsyncDisposableStack();
  const commanders = {} as ByStack<Commander>;
  for (const name of stacks) {
    const commander = await startCommander(clouds[name], join(home, `pi-${name.replace(' ', '-')}`));
    stack.defer(() => commander.stop());
    commanders[name] = commander;
  }
  say('claimed; LEDs are switched on and off');
  const times: ByStack<number[]> = { 'built in': [], services: [] };
  for (let i = 0; i < COMMANDS; i += 1)
    for (const name of stacks) times[name].push(await commanders[name].command(i % 2 === 0));
  return times;
}

const medianOf = (runs: readonly StoreRun[], of: (run: StoreRun) => number) => median(runs.map(of));

function rateFigure(shape: Shape, runs: ByStack<StoreRun[]>): Figure {
  const rate = (name: Stack) => medianOf(runs[name], (run) => run.readingsPerSecond);
  const late = (name: Stack) => medianOf(runs[name], ({ latencyMs }) => latencyMs.p99).toFixed(0);
  return {
    name: `stored, ${shape.name}`,
    value: rate('services'),
    unit: 'readings/s',
    baseline: { name: baselineName, value: rate('built in') },
    note: `flat out; acknowledged after p99 ${late('services')} ms against ${late('built in')}`,
  };
}

function latencyFigure(runs: ByStack<StoreRun[]>, share: number): Figure {
  const key = share === 0.5 ? 'p50' : 'p99';
  const rate = paced.messagesPerSecond * paced.readingsPerMessage;
  const of = (name: Stack) => medianOf(runs[name], ({ latencyMs }) => latencyMs[key]);
  return {
    name: `acknowledged at ${rate.toLocaleString('en-US')} readings/s, ${key}`,
    value: of('services'),
    unit: 'ms',
    baseline: { name: baselineName, value: of('built in') },
    note: 'ten readings a message',
  };
}

function cpuRemark(shape: Shape, runs: ByStack<StoreRun[]>): string {
  const of = (name: Stack, part: keyof StoreRun['cpu']) =>
    `${medianOf(runs[name], ({ cpu, acknowledged }) => (cpu[part] * 1e6) / acknowledged).toFixed(1)} µs`;
  return `Processor time a reading, ${shape.name}: cloud ${of('services', 'cloud')} and Mosquitto with Redis ${of('services', 'services')}, against ${of('built in', 'cloud')} of the cloud with both in it.`;
}
