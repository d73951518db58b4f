import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchCloud, startBenchCloud } from '../bench-cloud.ts';
import { enrolFleet } from '../ingest/enrol.ts';
import { type Fleet, startFleet } from '../ingest/fleet-handle.ts';
import type { FleetPlan } from '../ingest/fleet-plan.ts';
import { IN_FLIGHT, type Shape, shapes } from '../ingest/shapes.ts';
import { type StoreRun, storeReadings } from '../ingest/store-run.ts';
import { startVariant } from '../ingest/variant-handle.ts';
import type { Figure, Section } from '../report.ts';
import { median } from '../statistics.ts';

const BARE_WITHIN_MS = 120_000;

/** For the time of an answer when nothing is at its limit. */
const paced = { readingsPerMessage: 10, messages: 10_000, messagesPerSecond: 1_000 };

interface Runs {
  readonly flatOut: readonly StoreRun[];
  readonly paced: StoreRun;
}

/** Devices → mutual TLS → broker → checks → PostgreSQL commit → acknowledgement verified by the device. */
export const ingest: Section = async ({ home, profileDir, devices, say }) => {
  const cloud = await startBenchCloud({ home, profileDir });
  try {
    const plan = await enrolFleet(cloud, devices);
    const run = async (what: string, messages: (shape: Shape) => number): Promise<Runs> => {
      const fleet = await startFleet(plan, home);
      try {
        const perDevice = (total: number) => Math.ceil(total / devices);
        return await runAll(cloud, fleet, {
          shapes: shapes.map((shape) => ({ ...shape, messagesPerDevice: perDevice(messages(shape)) })),
          pacedPerDevice: perDevice(paced.messages),
          say: (line) => say(`${what}, ${line}`),
        });
      } finally {
        await fleet.end();
      }
    };
    const product = await run('product', ({ messages }) => messages);
    await startVariant(cloud, 'commit-per-message');
    const perCommit = await run('one commit a message', (shape) => shape.perCommit);
    const bare: number[] = [];
    for (const shape of shapes) {
      bare.push(await runBare(cloud, plan, home, shape));
      say(`bare broker, ${shape.name}: ${Math.round(bare.at(-1)!)} messages/s`);
    }
    return {
      figures: [
        ...shapes.flatMap((shape, i) =>
          rateFigures(shape, product.flatOut[i]!, perCommit.flatOut[i]!, bare[i]!),
        ),
        ...latencyFigures(product.paced, perCommit.paced),
      ],
      remarks: [
        `${devices} devices with a certificate each, in a process of their own, at most ${IN_FLIGHT} unacknowledged messages together; broker, ingest, API and jobs in one process as by npm start; PostgreSQL durable (fsync and synchronous commit on).`,
        'Rates over the middle 80 % of a fixed number of messages; what devices sign is signed before the clock starts, acknowledgements are verified by the fleet. Afterwards the database held exactly the readings that were acknowledged.',
        `A write of 8 KB and its fsync take ${fsyncMs(home).toFixed(2)} ms on this disk (p50).`,
        ...shapes.map((shape, i) => cpuRemark(shape, product.flatOut[i]!)),
      ],
    };
  } finally {
    await cloud.stop();
  }
};

async function runAll(
  cloud: BenchCloud,
  fleet: Fleet,
  options: {
    readonly shapes: readonly (Shape & { readonly messagesPerDevice: number })[];
    readonly pacedPerDevice: number;
    readonly say: (line: string) => void;
  },
): Promise<Runs> {
  const inFlight = IN_FLIGHT;
  await storeReadings(cloud, fleet, { readingsPerMessage: 10, messagesPerDevice: 20, inFlight });
  const flatOut: StoreRun[] = [];
  for (const { name, readingsPerMessage, messagesPerDevice } of options.shapes) {
    const run = await storeReadings(cloud, fleet, { readingsPerMessage, messagesPerDevice, inFlight });
    options.say(`${name}: ${Math.round(run.readingsPerSecond)} readings/s`);
    flatOut.push(run);
  }
  const { messages: _, ...pace } = paced;
  const order = { ...pace, messagesPerDevice: options.pacedPerDevice, inFlight };
  return { flatOut, paced: await storeReadings(cloud, fleet, order) };
}

/** Messages per second of this shape from publishers to a subscriber that does nothing. */
async function runBare(cloud: BenchCloud, plan: FleetPlan, home: string, shape: Shape): Promise<number> {
  const { readingsPerMessage, messages } = shape;
  const messagesPerDevice = Math.ceil(messages / plan.devices.length);
  const nextLine = await startVariant(cloud, 'bare', String(plan.devices.length * messagesPerDevice));
  const fleet = await startFleet(plan, home);
  try {
    await fleet.prepare({ readingsPerMessage, messagesPerDevice, inFlight: undefined });
    fleet.go();
    return Number((await nextLine(BARE_WITHIN_MS))['messagesPerSecond']);
  } finally {
    await fleet.end();
  }
}

function rateFigures(shape: Shape, product: StoreRun, perCommit: StoreRun, bare: number): Figure[] {
  const unit = 'readings/s';
  const value = product.readingsPerSecond;
  const { p50, p99 } = product.latencyMs;
  return [
    {
      name: `stored, ${shape.name}`,
      value,
      unit,
      baseline: { name: 'one commit a message', value: perCommit.readingsPerSecond },
      note: `flat out; acknowledged after p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
    },
    {
      name: `stored, ${shape.name}`,
      value,
      unit,
      baseline: { name: 'bare broker to subscriber', value: bare * shape.readingsPerMessage },
      note: `${Math.round(value / shape.readingsPerMessage)} messages/s against ${Math.round(bare)}`,
    },
  ];
}

function latencyFigures(product: StoreRun, perCommit: StoreRun): Figure[] {
  const rate = paced.messagesPerSecond * paced.readingsPerMessage;
  return (['p50', 'p99'] as const).map((share) => ({
    name: `acknowledged at ${rate.toLocaleString('en-US')} readings/s, ${share}`,
    value: product.latencyMs[share],
    unit: 'ms',
    baseline: { name: 'one commit a message', value: perCommit.latencyMs[share] },
    note: 'ten readings a message',
  }));
}

/** What "durable" costs here: disks of virtual machines promise more than they do. */
function fsyncMs(folder: string): number {
  const file = openSync(join(folder, 'fsync'), 'w');
  const block = Buffer.alloc(8_192);
  const times = Array.from({ length: 101 }, () => {
    const begin = performance.now();
    writeSync(file, block);
    fsyncSync(file);
    return performance.now() - begin;
  });
  closeSync(file);
  return median(times);
}

function cpuRemark(shape: Shape, { cpu, acknowledged }: StoreRun): string {
  const per = (seconds: number) => `${((seconds * 1e6) / acknowledged).toFixed(1)} µs`;
  return `Processor time a reading, ${shape.name}: cloud ${per(cpu.cloud)}, database ${per(cpu.database)}, fleet ${per(cpu.fleet)}.`;
}
