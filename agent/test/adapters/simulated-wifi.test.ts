import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from 'vitest';
import { createSimulatedWifi } from '../../src/adapters/simulated-wifi.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { describeWifi, HOME } from '../support/wifi-contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'ares-wifi-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the simulated Wi-Fi', () => {
  let boards = 0;
  describeWifi(async () => {
    const path = join(folder, `${++boards}.json`);
    const clock = createFakeClock();
    const open = () => createSimulatedWifi({ path, now: () => clock.now() });
    const signal = new AbortController().signal;
    await open().beginTrial(HOME, { rollbackAfterMs: 1_000, signal });
    await open().commitTrial();
    return {
      open,
      current: async () => {
        await open().inTrial();
        return currentOf(path, clock.now());
      },
      settle: (work) => work,
      pass: (milliseconds) => clock.advance(milliseconds),
    };
  });
});

function currentOf(path: string, now: number): string | undefined {
  try {
    const { current, trial } = JSON.parse(readFileSync(path, 'utf8')) as {
      current: { ssid: string } | null;
      trial: { before: { ssid: string } | null; until: number } | null;
    };
    return (trial !== null && now >= trial.until ? trial.before : current)?.ssid;
  } catch {
    return undefined;
  }
}
