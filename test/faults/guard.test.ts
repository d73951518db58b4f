import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { boardNowMs, readLevelLog, type SpawnedBoard, spawnBoard } from '@ares/hardware-drivers/simulation';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../agent/test/support/fake-clock.ts';
import { guardOf } from '../support/guard-process.ts';
import { root } from '../support/repository.ts';

const pumpPin = 17;
let dir: string;
let board: SpawnedBoard;
let agent: ChildProcess | undefined;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ares-guard-'));
  board = await spawnBoard({ dir: join(dir, 'board'), pumpPin });
});
afterEach(async () => {
  agent?.kill('SIGKILL');
  await board.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Starts the agent's half and waits until its pump runs. */
async function startAgent(options: { leaseMs: number; blockMs?: number }): Promise<ChildProcess> {
  const program = [
    '--conditions=@ares/source',
    join(root, 'test/support/guard-agent.ts'),
    JSON.stringify({ boardDir: board.dir, ...options }),
  ];
  const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  agent = child;
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  expect(JSON.parse(line)).toMatchObject({ outcome: 'COMPLETED', verified: true });
  return child;
}

/** Last change of the pump's line, once it is off again. */
async function offAt(): Promise<number> {
  await until(
    'the pump is off',
    async () => (await readLevelLog(board.dir, pumpPin)).at(-1)?.level === 0,
    8_000,
  );
  return (await readLevelLog(board.dir, pumpPin)).at(-1)!.atMs;
}

async function onAt(): Promise<number> {
  await until('the board saw it on', async () =>
    (await readLevelLog(board.dir, pumpPin)).some(({ level }) => level === 1),
  );
  return (await readLevelLog(board.dir, pumpPin)).findLast(({ level }) => level === 1)!.atMs;
}

describe('an output that runs', () => {
  it.each([
    ['the agent', 1],
    ["the agent's whole process group", -1],
  ])('CMD-07 is off within a second after a SIGKILL of %s', async (_who, sign) => {
    const child = await startAgent({ leaseMs: 60_000 });
    await onAt();
    const killedAt = boardNowMs();
    process.kill(sign * child.pid!, 'SIGKILL');
    expect((await offAt()) - killedAt).toBeLessThan(1_000);
  });

  it('CMD-11 is off on time while the event loop is blocked for 5 s', async () => {
    await startAgent({ leaseMs: 1_000, blockMs: 5_000 });
    const ranMs = (await offAt()) - (await onAt());
    expect(Math.abs(ranMs - 1_000)).toBeLessThan(150);
  });

  it('CMD-11 is switched off by the agent when the guard is killed', async () => {
    const child = await startAgent({ leaseMs: 60_000 });
    await onAt();
    const killedAt = boardNowMs();
    process.kill(guardOf(child.pid!)!, 'SIGKILL');
    // Sooner than the guard's successor, which would do the same half a second later.
    expect((await offAt()) - killedAt).toBeLessThan(400);
    expect(child.exitCode).toBeNull();
  });

  it('is off on time when both live and nothing happens', async () => {
    await startAgent({ leaseMs: 500 });
    expect(Math.abs((await offAt()) - (await onAt()) - 500)).toBeLessThan(150);
  });
});
