import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSettledClock } from '../src/compose-board.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'ares-clock-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

describe('the clock of a program that asks once', () => {
  it('knows at once that something keeps it set', async () => {
    const config = { clock: 'auto', simulateBoard: undefined, stateDir } as const;
    const clock = await openSettledClock(config, async () => true);
    expect(clock.synchronised()).toBe(true);
  });

  it('asks nobody on a simulated board', async () => {
    const config = { clock: 'auto', simulateBoard: join(stateDir, 'board'), stateDir } as const;
    const ask = () => Promise.reject(new Error('asked'));
    expect((await openSettledClock(config, ask)).synchronised()).toBe(true);
  });
});
