import { topics } from '@ares/protocol';
import { openBroker } from '../../../cloud/src/compose-broker.ts';
import { layFoundation } from '../../../cloud/src/compose-foundation.ts';
import { createLiveBase, startIngestRole } from '../../../cloud/src/compose-live.ts';
import { readConfig } from '../../../cloud/src/config.ts';
import { createSecurityMonitor } from '../../../cloud/src/security/monitor.ts';
import { createSecurityRepository } from '../../../cloud/src/security/repository.ts';

/**
 * The cloud's process with less in it, to hold the product against; same home, same database, same parts.
 * - `bare N`: the broker and a subscriber that counts N messages of readings and then says how fast they came.
 * - `commit-per-message`: broker and ingest, each message in a transaction of its own, ten of them at once.
 */

Buffer.poolSize = 0;
const [, , variant, expected] = process.argv;
const stack = new AsyncDisposableStack();
process.on('SIGTERM', () => void stack.disposeAsync().then(() => process.exit(0)));

const foundation = await layFoundation(readConfig('broker,ingest', process.env), stack);
const { database, clock, log } = foundation;
const security = createSecurityMonitor({ repository: createSecurityRepository(database), clock, log });
stack.defer(() => security.close());
const broker = (await openBroker(foundation, security, stack))!.link!;

if (variant === 'bare') {
  const messages = Number(expected);
  let count = 0;
  let begin = 0;
  await broker.subscribe([topics.componentStatus.filter()], () => {
    count += 1;
    const first = Math.floor(messages * 0.1);
    if (count === first) begin = performance.now();
    if (count !== Math.floor(messages * 0.9)) return;
    const seconds = (performance.now() - begin) / 1_000;
    console.log(JSON.stringify({ messagesPerSecond: (count - first) / seconds }));
  });
} else {
  const base = await createLiveBase(foundation, broker, stack);
  const batch = { batchRows: 1, flushEveryMs: 0, concurrency: 10 };
  await startIngestRole(foundation, { ...base, broker, security, batch }, stack);
}
console.log(JSON.stringify({ ready: true }));
