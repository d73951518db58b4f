import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { greenhouse } from '../../../cloud/src/phone/simulated-phone.ts';
import { root } from '../../support/repository.ts';
import { type BenchCloud, startBenchCloud } from '../bench-cloud.ts';
import { createBundledPi } from '../bundled-pi.ts';
import { type LoopDisk, mountLoopDisk } from '../loop-disk.ts';
import type { Figure, Section } from '../report.ts';
import { socketBytes } from '../socket-bytes.ts';

/** Headers of IPv4 and TCP with timestamps, of each segment. */
const HEADER_BYTES = 52;
/** After a claim there is a certificate, a first batch and the list of components: that is no everyday traffic. */
const SETTLE_MS = 45_000;
const DAY_MINUTES = 24 * 60;

/** What a device costs while nothing happens: bytes on the card, bytes on the wire, bytes of program. */
export const footprint: Section = async ({ home, minutes, say }) => {
  const cloud = await startBenchCloud({ home });
  try {
    const runs = [
      { name: 'nothing attached', components: [] },
      { name: 'greenhouse at the default rate', components: greenhouse },
    ];
    const measured = await Promise.all(
      runs.map(({ name, components }, i) =>
        measureDevice({ cloud, folder: join(home, `pi${i}`), name, components, minutes, say }),
      ),
    );
    const files = globSync(['ares-agent*.mjs', '*.sh'], { cwd: join(root, 'agent/dist') });
    const bundle = files.reduce((sum, file) => sum + statSync(join(root, 'agent/dist', file)).size, 0);
    return {
      figures: [
        ...measured.flat(),
        {
          name: 'bundle without runtime',
          value: bundle / 1e6,
          unit: 'MB',
          baseline: { name: 'the aim', value: 3 },
          note: `${files.length} files`,
        },
      ],
      remarks: [
        `Measured for ${minutes} min after ${SETTLE_MS / 1_000} s of rest, then multiplied to a day: renewals of certificates and reconnects are not in it.`,
        'Card: the state directory alone on an ext4 of its own (defaults, noatime); sectors and requests that reached its block device, with the journal of ext4 and what each fsync costs. What a card writes beyond that inside itself nobody can see.',
        `Wire: payload of the connection to the broker as the kernel counts it, with TLS, plus ${HEADER_BYTES} bytes of headers a segment, both ways.`,
        'Greenhouse: CPU, DHT22 and soil moisture every 5 s, LED and pump every 60 s, sent every 15 s.',
      ],
    };
  } finally {
    await cloud.stop();
  }
};

async function measureDevice(options: {
  readonly cloud: BenchCloud;
  readonly folder: string;
  readonly name: string;
  readonly components: Parameters<Awaited<ReturnType<typeof createBundledPi>>['pair']>[1]['components'];
  readonly minutes: number;
  readonly say: (line: string) => void;
}): Promise<Figure[]> {
  const { cloud, folder, name, components, minutes, say } = options;
  const disk = mountLoopDisk(`${folder}.ext4`, join(folder, 'state'));
  try {
    const pi = await createBundledPi({ folder, cloud });
    try {
      const pid = pi.startAgent();
      await pi.pair(cloud, { components });
      await wait(SETTLE_MS);
      say(`${name}: measuring`);
      return await measure({ name, disk, minutes, look: () => socketBytes(pid, cloud.mqttPort) });
    } finally {
      await pi.stop();
    }
  } finally {
    disk.remove();
  }
}

async function measure({
  name,
  disk,
  minutes,
  look,
}: {
  readonly name: string;
  readonly disk: LoopDisk;
  readonly minutes: number;
  readonly look: () => ReturnType<typeof socketBytes>;
}): Promise<Figure[]> {
  const from = { disk: disk.written(), wire: look() };
  await wait(minutes * 60_000);
  const to = { disk: disk.written(), wire: look() };
  if (to.wire.port !== from.wire.port) throw new Error(`${name}: the device connected again meanwhile`);
  const aDay = (amount: number) => (amount / minutes) * DAY_MINUTES;
  const payload = to.wire.payloadBytes - from.wire.payloadBytes;
  const segments = to.wire.segments - from.wire.segments;
  return [
    {
      name: `${name}: written to the card`,
      value: aDay(to.disk.bytes - from.disk.bytes) / 1e6,
      unit: 'MB/day',
    },
    {
      name: `${name}: write requests of the card`,
      value: aDay(to.disk.requests - from.disk.requests) / 1e3,
      unit: 'k/day',
    },
    {
      name: `${name}: on the wire`,
      value: aDay(payload + segments * HEADER_BYTES) / 1e6,
      unit: 'MB/day',
      note: `${(aDay(payload) / 1e6).toFixed(2)} MB of it payload`,
    },
  ];
}
