import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../src/adapters/system-clock.ts';
import { isClockKept } from '../../src/adapters/timedated.ts';
import { until } from '../support/fake-clock.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ares-clock-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A stand-in for timedatectl that says this. */
function timedatectl(script: string): string {
  const path = join(dir, 'timedatectl');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('whether the clock of this machine is synchronised', () => {
  const synchronisedPath = () => join(dir, 'synchronized');

  it('FSP-07 is no without evidence', async () => {
    const clock = createSystemClock({ synchronisedPath: synchronisedPath() });
    expect(clock.synchronised()).toBe(false);
  });

  it('is told by the file of systemd-timesyncd, and nobody else is asked then', () => {
    writeFileSync(synchronisedPath(), '');
    let asked = 0;
    const ask = async () => ++asked > 0;
    expect(createSystemClock({ synchronisedPath: synchronisedPath(), ask }).synchronised()).toBe(true);
    expect(asked).toBe(0);
  });

  it('is else asked for in the background, once for all who want to know', async () => {
    let asked = 0;
    const ask = async () => ++asked > 0;
    const clock = createSystemClock({ synchronisedPath: synchronisedPath(), ask });
    expect(clock.synchronised()).toBe(false);
    await until('it is known', () => clock.synchronised());
    expect(asked).toBe(1);
  });

  it('is no when it cannot be asked for', async () => {
    const ask = () => Promise.reject(new Error('no bus'));
    const clock = createSystemClock({ synchronisedPath: synchronisedPath(), ask });
    expect(clock.synchronised()).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(clock.synchronised()).toBe(false);
  });

  it('is the word of a person where the settings say so', () => {
    expect(createSystemClock({ assumeSynchronised: true }).synchronised()).toBe(true);
  });
});

describe('what systemd-timedated says', () => {
  it.each([
    ['echo yes', true],
    ['echo no', false],
    ['echo yes; exit 1', false],
    ['echo; echo yes', true],
    ['exit 0', false],
  ])('by `%s` means %s', async (script, kept) => {
    expect(await isClockKept(timedatectl(script))).toBe(kept);
  });

  it('means no where there is none', async () => {
    expect(await isClockKept(join(dir, 'nothing'))).toBe(false);
  });
});
