import { execFileSync } from 'node:child_process';
import { greenhouse } from '../../../cloud/src/phone/simulated-phone.ts';
import { eventually } from '../../support/ares-process.ts';
import { type BenchCloud, startBenchCloud } from '../bench-cloud.ts';
import { createBundledPi } from '../bundled-pi.ts';
import type { Section } from '../report.ts';
import { median } from '../statistics.ts';

/** A user may ask for 20 claims in an hour. */
const RUNS = 10;

/** Claim, first reading in the database, unlink, and again. */
export const provisioning: Section = async ({ home, profileDir, say }) => {
  const cloud = await startBenchCloud({ home, profileDir });
  try {
    const pi = await createBundledPi({ folder: `${home}/pi`, cloud });
    try {
      pi.startAgent();
      const stored: number[] = [];
      const seen: number[] = [];
      const bare: number[] = [];
      for (let run = 0; run < RUNS; run++) {
        let begin = 0;
        const connected = () => {
          begin = performance.now();
        };
        const paired = pi.pair(cloud, { components: greenhouse, connected });
        const first = firstReading(cloud, run + 1).then(() => performance.now());
        await paired;
        seen.push(performance.now() - begin);
        stored.push((await first) - begin);
        bare.push(timeOf(() => execFileSync(process.execPath, ['-e', '0'])));
        say(`run ${run + 1}: ${(stored.at(-1)! / 1_000).toFixed(2)} s`);
        if (run === RUNS - 1) break;
        await cloud.owner.unlink({ params: { id: pi.deviceUuid } });
        await eventually(
          'the device has sent its receipt',
          async () => (await receipts(cloud)) === run + 1,
          60_000,
        );
      }
      const start = { name: 'start of an empty Node', value: median(bare) / 1_000 };
      const figure = (name: string, value: number) => ({
        name,
        value: value / 1_000,
        unit: 's',
        baseline: start,
      });
      return {
        figures: [
          figure('Bluetooth connect to first stored reading, p50', median(stored)),
          figure('Bluetooth connect to first stored reading, max', Math.max(...stored)),
          figure('until the phone is told, p50', median(seen)),
        ],
        remarks: [
          `${RUNS} claims of one device with an unlink and a factory reset between; bundled agent with the flags of the device; simulated radio and Wi-Fi, which take no time.`,
        ],
      };
    } finally {
      await pi.stop();
    }
  } finally {
    await cloud.stop();
  }
};

/** Waits until the database holds a reading of this assignment. */
async function firstReading(cloud: BenchCloud, assignment: number): Promise<void> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    const { rowCount } = await cloud.database.query(
      `select 1 from telemetry_data t join attached_components c on c.id = t.component_id
       join assignments a on a.id = c.assignment_id where a.number = $1 limit 1`,
      [assignment],
    );
    if (rowCount !== 0) return;
    if (performance.now() > deadline) throw new Error('no reading arrived within two minutes');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function receipts(cloud: BenchCloud): Promise<number> {
  const { rows } = await cloud.database.query<{ n: number }>(
    'select count(*)::int as n from assignments where reset_receipt_at is not null',
  );
  return rows[0]!.n;
}

function timeOf(run: () => void): number {
  const begin = performance.now();
  run();
  return performance.now() - begin;
}
