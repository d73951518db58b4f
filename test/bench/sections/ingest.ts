import { createInterface } from 'node:readline';
import { type BenchCloud, startBenchCloud } from '../bench-cloud.ts';
import { enrolFleet } from '../ingest/enrol.ts';
import { type Fleet, startFleet } from '../ingest/fleet-handle.ts';
import type { FleetPlan, FleetResult } from '../ingest/fleet-plan.ts';
import { cpuSecondsOf, machineBusySeconds } from '../processes.ts';
import type { Figure, Section } from '../report.ts';

const DEVICES = 200;
/** What an agent has under way at most. */
const WINDOW = 4;
const variantProgram = new URL('../ingest/variant.ts', import.meta.url);

const shapes = [
  { name: 'ten readings a message', readingsPerMessage: 10, messagesPerDevice: 150, perCommit: 30 },
  { name: 'one reading a message', readingsPerMessage: 1, messagesPerDevice: 750, perCommit: 60 },
] as const;
type Shape = (typeof shapes)[number];

interface Stored extends FleetResult {
  readonly cloudCpuSeconds: number;
  readonly databaseCpuSeconds: number;
  readonly othersCpuSeconds: number;
}

/** Devices → mutual TLS → broker → checks → PostgreSQL commit → acknowledgement verified by the device. */
export const ingest: Section = async ({ home, profileDir, say }) => {
  const cloud = await startBenchCloud({ home, profileDir });
  try {
    const plan = await enrolFleet(cloud, DEVICES);
    const product = await runShapes(
      cloud,
      plan,
      home,
      say,
      'product',
      ({ messagesPerDevice }) => messagesPerDevice,
    );
    say('the same with one commit a message');
    await startVariant(cloud, 'commit-per-message');
    const perCommit = await runShapes(
      cloud,
      plan,
      home,
      say,
      'one commit a message',
      (shape) => shape.perCommit,
    );
    const bare: number[] = [];
    for (const shape of shapes) {
      say(`bare broker, ${shape.name}`);
      bare.push(await runBare(cloud, plan, home, shape));
    }
    return {
      figures: shapes.flatMap((shape, i) => figuresOf(shape, product[i]!, perCommit[i]!, bare[i]!)),
      remarks: [
        `${DEVICES} devices with a certificate each, in a process of their own, at most ${WINDOW} unacknowledged messages each; broker, ingest, API and jobs in one process as by npm start; PostgreSQL durable (fsync and synchronous commit on).`,
        'Rates over the middle 80 % of a fixed number of messages; what devices sign is signed before the clock starts, acknowledgements are verified by the fleet. The database was counted afterwards: as many rows as were acknowledged.',
        ...shapes.map((shape, i) => cpuRemark(shape, product[i]!)),
      ],
    };
  } finally {
    await cloud.stop();
  }
};

async function runShapes(
  cloud: BenchCloud,
  plan: FleetPlan,
  home: string,
  say: (line: string) => void,
  what: string,
  messages: (shape: Shape) => number,
): Promise<Stored[]> {
  const fleet = await startFleet(plan, home);
  try {
    const results: Stored[] = [];
    await runOnce(cloud, fleet, 10, 20);
    for (const shape of shapes) {
      const result = await runOnce(cloud, fleet, shape.readingsPerMessage, messages(shape));
      say(`${what}, ${shape.name}: ${Math.round(result.readingsPerSecond)} readings/s`);
      results.push(result);
    }
    return results;
  } finally {
    await fleet.end();
  }
}

/** @throws when an acknowledged reading is not in the database, or one was refused */
async function runOnce(
  cloud: BenchCloud,
  fleet: Fleet,
  readingsPerMessage: number,
  messagesPerDevice: number,
): Promise<Stored> {
  const count = async () =>
    (await cloud.database.query<{ n: number }>('select count(*)::int as n from telemetry_data')).rows[0]!.n;
  const before = await count();
  await fleet.prepare({ readingsPerMessage, messagesPerDevice, window: WINDOW });
  const pids = cloud.pids();
  const used = () => [cpuSecondsOf(pids.cloud), cpuSecondsOf(pids.database), machineBusySeconds()] as const;
  const begin = used();
  const result = await fleet.run();
  const end = used();
  const stored = (await count()) - before;
  if (stored !== result.acknowledged || result.rejected > 0)
    throw new Error(
      `${result.acknowledged} acknowledged, ${result.rejected} refused, ${stored} in the database`,
    );
  const [cloudCpuSeconds, databaseCpuSeconds, busy] = end.map((value, i) => value - begin[i]!) as [
    number,
    number,
    number,
  ];
  const othersCpuSeconds = Math.max(0, busy - cloudCpuSeconds - databaseCpuSeconds - result.cpuSeconds);
  return { ...result, cloudCpuSeconds, databaseCpuSeconds, othersCpuSeconds };
}

async function startVariant(cloud: BenchCloud, ...args: string[]) {
  const child = await cloud.replaceBy(variantProgram, args);
  const lines = createInterface({ input: child.process.stdout! })[Symbol.asyncIterator]();
  const nextLine = async (withinMs: number): Promise<Record<string, unknown>> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${args.join(' ')} said nothing in time`)), withinMs);
    });
    const { value, done } = await Promise.race([lines.next(), late]).finally(() => clearTimeout(timer));
    if (done === true) throw new Error(`${args.join(' ')} ended`);
    return JSON.parse(value) as Record<string, unknown>;
  };
  await nextLine(30_000);
  return nextLine;
}

/** Messages per second of these shapes from publishers to a subscriber that does nothing. */
async function runBare(cloud: BenchCloud, plan: FleetPlan, home: string, shape: Shape): Promise<number> {
  const { readingsPerMessage, messagesPerDevice } = shape;
  const nextLine = await startVariant(cloud, 'bare', String(DEVICES * messagesPerDevice));
  const fleet = await startFleet(plan, home);
  try {
    await fleet.prepare({ readingsPerMessage, messagesPerDevice, window: undefined });
    fleet.go();
    return Number((await nextLine(120_000))['messagesPerSecond']);
  } finally {
    await fleet.end();
  }
}

function figuresOf(shape: Shape, product: Stored, perCommit: Stored, bare: number): Figure[] {
  const unit = 'readings/s';
  const value = product.readingsPerSecond;
  return [
    {
      name: `stored, ${shape.name}`,
      value,
      unit,
      baseline: { name: 'one commit a message', value: perCommit.readingsPerSecond },
      note: `acknowledged after p50 ${product.latencyMs.p50.toFixed(0)} ms, p99 ${product.latencyMs.p99.toFixed(0)} ms, flat out`,
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

function cpuRemark(shape: Shape, result: Stored): string {
  const per = (seconds: number) => `${((seconds * 1e6) / result.acknowledged).toFixed(1)} µs`;
  const others = Math.round(
    (100 * result.othersCpuSeconds) /
      (result.othersCpuSeconds + result.cloudCpuSeconds + result.databaseCpuSeconds + result.cpuSeconds),
  );
  return `Processor time a reading, ${shape.name}: cloud ${per(result.cloudCpuSeconds)}, database ${per(result.databaseCpuSeconds)}, fleet ${per(result.cpuSeconds)}; other programs of the machine took ${others} % of the time used meanwhile.`;
}
