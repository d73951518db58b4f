import { readFileSync } from 'node:fs';
import { percentile } from '../statistics.ts';
import { connectDevice, type SimulatedDevice } from './fleet-device.ts';
import type { FleetCommand, FleetOrder, FleetPlan, FleetReport } from './fleet-plan.ts';

/**
 * The process of the simulated devices: `node fleet.ts <plan file>`, told what to do by its parent. What devices
 * bring their own processors for (to sign) is done before the clock starts.
 */

const CONNECTING_AT_ONCE = 20;
const PROGRESS_MS = 500;
const PACE_MS = 2;

const say = (report: FleetReport) => process.send!(report);
const plan = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as FleetPlan;
const devices: SimulatedDevice[] = [];
let order: FleetOrder | undefined;
let begun = 0;
let sent = 0;
let cpu = process.cpuUsage();
let acknowledged = 0;
let rejected = 0;
let latencies: number[] = [];
/** When each message was answered, in ms since the start. */
let times: number[] = [];

process.on('message', (command: FleetCommand) => {
  if ('end' in command) process.exit(0);
  else if ('prepare' in command) prepare(command.prepare);
  else go();
});
process.on('disconnect', () => process.exit(0));
setInterval(() => say({ event: 'progress', readings: acknowledged }), PROGRESS_MS);

try {
  const waiting = [...plan.devices];
  const connectSome = async () => {
    for (let device = waiting.shift(); device !== undefined; device = waiting.shift())
      devices.push(await connectDevice(plan, device, { onAnswered, onFailure: fail }));
  };
  await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, connectSome));
  say({ event: 'connected' });
} catch (error) {
  fail((error as Error).message);
}

function prepare(wanted: FleetOrder): void {
  order = wanted;
  acknowledged = 0;
  rejected = 0;
  latencies = [];
  times = [];
  const sizes = devices.map((device) => device.prepare(wanted));
  say({ event: 'prepared', bytesPerMessage: sizes[0]! });
}

function go(): void {
  begun = performance.now();
  cpu = process.cpuUsage();
  sent = 0;
  const { messagesPerSecond, messagesPerDevice, inFlight } = order!;
  const messages = devices.length * messagesPerDevice;
  if (messagesPerSecond === undefined) {
    const first = Math.min(messages, inFlight ?? messages);
    for (let i = 0; i < first; i++) sendNext();
    return;
  }
  const pace = setInterval(() => {
    const due = Math.min(messages, ((performance.now() - begun) / 1_000) * messagesPerSecond);
    while (sent < due) sendNext();
    if (sent === messages) clearInterval(pace);
  }, PACE_MS);
}

/** In turn, so that each device has its share under way. */
function sendNext(): void {
  devices[sent++ % devices.length]!.sendOne();
}

function onAnswered(stored: number, refused: number, latencyMs: number): void {
  acknowledged += stored;
  rejected += refused;
  latencies.push(latencyMs);
  times.push(performance.now() - begun);
  const { messagesPerDevice, readingsPerMessage, messagesPerSecond } = order!;
  if (messagesPerSecond === undefined) sendNext();
  const messages = devices.length * messagesPerDevice;
  if (times.length < messages) return;
  const [from, to] = [Math.floor(messages * 0.1), Math.floor(messages * 0.9)];
  const used = process.cpuUsage(cpu);
  say({
    event: 'done',
    acknowledged,
    rejected,
    readingsPerSecond: ((to - from) * readingsPerMessage * 1_000) / (times[to]! - times[from]!),
    latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
    cpuSeconds: (used.user + used.system) / 1e6,
  });
}

function fail(reason: string): void {
  say({ event: 'failed', reason });
}
