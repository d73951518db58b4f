import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { boardNowMs, readLevelLog, type SpawnedBoard, spawnBoard } from '@ares/hardware-drivers/simulation';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../agent/test/support/fake-clock.ts';
import { guardOf } from '../support/guard-process.ts';
import { seededRandom } from '../support/random.ts';
import { root } from '../support/repository.ts';

const ROUNDS = process.env['ARES_FAULTS'] === 'long' ? 100 : 8;
const pumpPin = 17;
/** What a lease and a death may take to show on the line. */
const GRACE_MS = 1_000;
const LONGEST_LEASE_MS = 1_500;

type Fault =
  | 'the agent is killed'
  | 'the agent is asked to end'
  | 'the agent stands still'
  | 'the guard is killed'
  | 'the guard stands still and the agent is killed'
  | 'both are killed at once'
  | 'both are killed at once and the agent comes back';
const faults: readonly Fault[] = [
  'the agent is killed',
  'the agent is killed',
  'the agent is asked to end',
  'the agent stands still',
  'the guard is killed',
  'the guard stands still and the agent is killed',
  'both are killed at once',
  'both are killed at once and the agent comes back',
];

interface Order {
  readonly atMs: number;
  readonly leaseMs: number;
  outcome?: string;
}

let dir: string;
let board: SpawnedBoard;
const started: number[] = [];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ares-outputs-'));
  board = await spawnBoard({ dir: join(dir, 'board'), pumpPin });
});
afterEach(async () => {
  for (const pid of started) send(pid, 'SIGKILL');
  await board.stop();
  rmSync(dir, { recursive: true, force: true });
});

function send(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, signal);
  } catch {
    // It is gone, which is what most of these signals are for.
  }
}

const isOn = () => readFileSync(join(board.dir, 'gpio', `gpio${pumpPin}`, 'value'), 'latin1')[0] === '1';
const isSeenOff = async () => (await readLevelLog(board.dir, pumpPin)).at(-1)?.level === 0;

interface PumpAgent {
  readonly child: ChildProcess;
  readonly orders: Order[];
  /** Whether the pump was on when the agent was ready for its first order. */
  readonly onWhenReady: boolean;
}

async function startAgent(seed: number): Promise<PumpAgent> {
  const recordPath = join(dir, 'outputs.json');
  const program = [
    '--conditions=@ares/source',
    join(root, 'test/support/pump-agent.ts'),
    JSON.stringify({ boardDir: board.dir, recordPath, seed }),
  ];
  const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.pid !== undefined) started.push(child.pid);
  const orders: Order[] = [];
  const lines = createInterface({ input: child.stdout! });
  await once(lines, 'line');
  const onWhenReady = isOn();
  lines.on('line', (line) => {
    const fact = JSON.parse(line) as Order & { outcome?: string };
    if (fact.outcome === undefined) orders.push(fact);
    else orders.at(-1)!.outcome = fact.outcome;
  });
  await until('it runs its pump', () => orders.some(({ outcome }) => outcome === 'COMPLETED'), 15_000);
  return { child, orders, onWhenReady };
}

/** When the pump may be on at the latest by what was ordered and not refused. */
const allowedUntil = (orders: readonly Order[], atMs: number) =>
  Math.max(
    ...orders
      .filter((one) => one.atMs <= atMs && (one.outcome ?? 'COMPLETED') === 'COMPLETED')
      .map((one) => one.atMs + one.leaseMs),
  );

async function runs(): Promise<{ onAt: number; offAt: number }[]> {
  const changes = await readLevelLog(board.dir, pumpPin);
  return changes.flatMap(({ level, atMs }, i) =>
    level === 1 ? [{ onAt: atMs, offAt: changes[i + 1]?.atMs ?? Number.POSITIVE_INFINITY }] : [],
  );
}

describe(`a pump that runs by leases, ${ROUNDS} faults`, () => {
  it('CMD-07 CMD-11 is never on a second longer than its lease, nor a second after its agent died', async () => {
    const random = seededRandom();
    console.log(`seed ${random.seed} (ARES_SEED=${random.seed} repeats it)`);
    const orders: Order[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const fault = random.pick(faults);
      const where = `round ${round}: ${fault}`;
      const agent = await startAgent(random.between(0, 2 ** 31));
      const pid = agent.child.pid!;
      const guard = guardOf(pid);
      if (guard === undefined) throw new Error('the agent has no guard');
      started.push(guard);
      await wait(random.between(0, 1_200));

      const atMs = boardNowMs();
      if (fault.startsWith('the guard stands still')) send(guard, 'SIGSTOP');
      if (fault.startsWith('both') || fault === 'the guard is killed') send(guard, 'SIGKILL');
      if (fault === 'the agent stands still') send(pid, 'SIGSTOP');
      else if (fault === 'the agent is asked to end') send(pid, 'SIGTERM');
      else if (fault !== 'the guard is killed') send(pid, 'SIGKILL');
      if (fault === 'the guard is killed') {
        // Whatever was on: nothing goes on again before there is another guard.
        await until(where, () => !isOn(), GRACE_MS);
        send(pid, 'SIGKILL');
      }
      orders.push(...agent.orders);
      if (fault === 'both are killed at once and the agent comes back') {
        const next = await startAgent(random.between(0, 2 ** 31));
        expect(next.onWhenReady, where).toBe(false);
        send(next.child.pid, 'SIGKILL');
        await until(where, () => !isOn(), GRACE_MS);
        orders.push(...next.orders);
        continue;
      }
      const guardLives = fault === 'the agent is killed' || fault === 'the agent is asked to end';
      const withinMs = guardLives ? GRACE_MS : LONGEST_LEASE_MS + GRACE_MS;
      await until(where, isSeenOff, withinMs + GRACE_MS);
      const last = (await runs()).at(-1)!;
      if (guardLives) expect(last.offAt - atMs, where).toBeLessThan(GRACE_MS);
      send(pid, 'SIGKILL');
      send(guard, 'SIGKILL');
    }

    await until('the board has seen it off', isSeenOff);
    const seen = await runs();
    expect(seen.length).toBeGreaterThanOrEqual(ROUNDS);
    for (const { onAt, offAt } of seen)
      expect(offAt - allowedUntil(orders, offAt), `on from ${onAt} to ${offAt}`).toBeLessThan(GRACE_MS);
  });
});
