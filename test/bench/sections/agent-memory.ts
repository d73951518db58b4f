import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { greenhouse } from '../../../cloud/src/phone/simulated-phone.ts';
import { type BenchCloud, startBenchCloud } from '../bench-cloud.ts';
import { type BundledPi, createBundledPi } from '../bundled-pi.ts';
import { countMessages } from '../message-sizes.ts';
import { driversProcessOf, processTree, rssMbOf } from '../processes.ts';
import type { Figure, Section } from '../report.ts';
import { median, percentile, slope } from '../statistics.ts';

const SAMPLE_MS = 5_000;
const STARTS = 7;
/** Where the aim of DESIGN §9 is looked at; longer runs show it too. */
const MARK_MINUTES = 10;
const idleProgram = 'setInterval(()=>{},1e3)';

const chatter = {
  componentType: 'chatter',
  kind: 'actuator' as const,
  pinRoles: ['line'],
  metrics: Array.from({ length: 64 }, (_, i) => ({
    metric: `m${i}_`.padEnd(40, 'x'),
    unit: '1',
    min: 0,
    max: 1,
    stateKey: `chatter_${i}`,
  })),
  actions: [{ action: 'on', longestRunMs: 1_000 }, { action: 'off' }, { action: 'stop' }],
  sampleIntervalMs: 200,
};

/** 170 long readings are 16 KB or more, in two messages; with the silent samples that makes five messages a second. */
const chattering = {
  componentType: 'chatter',
  pins: { line: 22 },
  config: { most: 170, silentEvery: 3 },
};

interface Sample {
  readonly minutes: number;
  /** Without the process of drivers by others, which counts apart. */
  readonly rssMb: number;
  readonly driversMb: number;
}

/** Memory of everything that the agent starts, and how soon it measures. */
export const agentMemory: Section = async ({ home, minutes, say }) => {
  const cloud = await startBenchCloud({ home });
  const idle = spawn(process.execPath, ['-e', idleProgram], { stdio: 'ignore' });
  try {
    const folder = fileURLToPath(new URL('../drivers/chatter', import.meta.url));
    const pi = await createBundledPi({
      folder: `${home}/pi`,
      cloud,
      settings: { drivers: { chatter: folder } },
    });
    try {
      await cloud.admin.addComponentType({ body: chatter });
      await cloud.database.query(
        `insert into device_pin_configs (hardware_variant_id, component_type, role, pins)
         select id, 'chatter', 'line', array[22] from hardware_variants on conflict do nothing`,
      );
      pi.startAgent();
      await pi.pair(cloud, {
        components: [...greenhouse, chattering],
      });
      const starts = await measureStarts(cloud, pi);
      say(`first reading stored ${median(starts).toFixed(2)} s after the start`);
      const memory = await measureMemory(cloud, pi, idle, minutes, say);
      const bare = await emptyNodeSeconds();
      const first = { name: 'start of an empty Node', value: bare };
      return {
        figures: [
          ...memory.figures,
          {
            name: 'process start to first stored reading, p50',
            value: median(starts),
            unit: 's',
            baseline: first,
          },
          {
            name: 'process start to first stored reading, max',
            value: Math.max(...starts),
            unit: 's',
            baseline: first,
          },
        ],
        remarks: [
          'Bundled agent with --max-semi-space-size=1 --lite-mode, claimed, with LED, pump, DHT22, soil moisture, CPU and a driver from outside; its whole process tree counts, the process of drivers by others apart.',
          ...memory.remarks,
          `${STARTS} starts of a claimed device.`,
        ],
      };
    } finally {
      await pi.stop();
    }
  } finally {
    idle.kill('SIGKILL');
    await cloud.stop();
  }
};

async function measureMemory(
  cloud: BenchCloud,
  pi: BundledPi,
  idle: ChildProcess,
  minutes: number,
  say: (line: string) => void,
): Promise<{ figures: Figure[]; remarks: string[] }> {
  const messages = await countMessages(cloud);
  const pid = pi.startAgent();
  const samples: Sample[] = [];
  const begin = performance.now();
  const elapsed = () => (performance.now() - begin) / 60_000;
  for (let told = 1; elapsed() < minutes; ) {
    await wait(SAMPLE_MS);
    const drivers = driversProcessOf(pid);
    const driversMb = drivers === undefined ? 0 : rssMbOf(drivers);
    const rssMb = rssMbOf(pid) - driversMb;
    if (rssMb <= 0) throw new Error(`the agent ended; see ${pi.logFile}`);
    samples.push({ minutes: elapsed(), rssMb, driversMb });
    if (elapsed() < told) continue;
    say(`${told} min: ${rssMb.toFixed(1)} MB`);
    told += minutes > 15 ? 10 : 1;
  }
  const tree = [...processTree(pid).values()].map(({ name, rssMb }) => `${name} ${rssMb.toFixed(1)}`);
  const idleMb = rssMbOf(idle.pid!);
  await messages.close();
  await pi.stopAgent();

  const baseline = { name: `node -e '${idleProgram}'`, value: idleMb };
  const half = samples.filter((sample) => sample.minutes >= minutes / 2);
  const marks = minutes > MARK_MINUTES ? [MARK_MINUTES, minutes] : [minutes];
  const perHour = slope(half.map(({ minutes: x, rssMb: y }) => ({ x, y }))) * 60;
  const { sizes } = messages;
  if (sizes.length < minutes * 60) throw new Error(`only ${sizes.length} messages came; see ${pi.logFile}`);
  const kb = (bytes: number) => `${(bytes / 1_024).toFixed(1)} KB`;
  return {
    figures: [
      ...marks.map((mark) => ({
        name: `memory after ${mark} min`,
        value: memoryAt(samples, mark),
        unit: 'MB',
        baseline,
        note: mark === minutes ? tree.join(', ') : '',
      })),
      {
        name: 'highest sample',
        value: Math.max(...samples.map(({ rssMb }) => rssMb)),
        unit: 'MB',
        baseline,
        note: 'with a child that was running, if one was',
      },
      {
        name: 'process of drivers by others',
        value: median(samples.map(({ driversMb }) => driversMb)),
        unit: 'MB',
        note: 'there only while a component of such a type is attached',
      },
      {
        name: 'growth in the second half',
        value: perHour,
        unit: 'MB/h',
        note: `over ${(minutes / 2).toFixed(0)} min`,
      },
    ],
    remarks: [
      `${(sizes.length / minutes / 60).toFixed(1)} messages/s of ${new Set(sizes).size} different lengths, ${kb(Math.min(...sizes))} to ${kb(Math.max(...sizes))}, median ${kb(percentile(sizes, 0.5))}.`,
    ],
  };
}

/** A child that renews or fetches lives for a second or two: the median of half a minute is what stays. */
function memoryAt(samples: readonly Sample[], minutes: number): number {
  return median(
    samples
      .filter((sample) => sample.minutes <= minutes + 0.1)
      .slice(-6)
      .map(({ rssMb }) => rssMb),
  );
}

/** Seconds from the start of the process to a reading of its boot in the database. */
async function measureStarts(cloud: BenchCloud, pi: BundledPi): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    await pi.stopAgent();
    const { rows } = await cloud.database.query<{ last: number }>('select max(id) as last from device_boots');
    const begin = performance.now();
    pi.startAgent();
    await storedAfterBoot(cloud, rows[0]!.last);
    times.push((performance.now() - begin) / 1_000);
  }
  await pi.stopAgent();
  return times;
}

async function storedAfterBoot(cloud: BenchCloud, lastBoot: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const { rowCount } = await cloud.database.query(
      'select 1 from telemetry_data where boot_id in (select id from device_boots where id > $1) limit 1',
      [lastBoot],
    );
    if (rowCount !== 0) return;
    if (performance.now() > deadline) throw new Error('no reading was stored within a minute of the start');
    await wait(5);
  }
}

async function emptyNodeSeconds(): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const begin = performance.now();
    const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('exit', resolve));
    times.push((performance.now() - begin) / 1_000);
  }
  return median(times);
}
