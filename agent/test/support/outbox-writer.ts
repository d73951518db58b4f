/** Inserts readings as fast as it can and says each number that is safe, until it is killed. Arguments: folder, round. */
import { silentLogger } from '../../src/ports/logger.ts';
import { openDeviceStore } from '../../src/store/device-store.ts';
import { createFakeClock } from './fake-clock.ts';

const [dir = '', round = '0'] = process.argv.slice(2);
const store = openDeviceStore({ dir, logger: silentLogger, clock: createFakeClock() });
const outbox = store.openOutbox(1);
const bootId = round.padStart(32, 'f');
outbox.beginBoot({ bootId, bootCount: store.counters.startBoot({ floor: 0 }) });
const reading = {
  componentId: 1,
  componentType: 'dht22',
  metric: 'temperature',
  value: 1,
  quality: 'good',
} as const;
for (;;) {
  const stored = outbox.insert([reading, reading, reading], { time: { uptimeMs: 1 }, uptimeMs: 1 });
  await new Promise<void>((resolve) => {
    process.stdout.write(`${bootId} ${stored.at(-1)!.reading.seq}\n`, () => resolve());
  });
}
