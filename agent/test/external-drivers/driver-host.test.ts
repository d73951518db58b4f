import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { attached, type DriversBench, sensor, startDriversBench, works } from '../support/drivers-bench.ts';
import { until } from '../support/fake-clock.ts';

const LONG_MS = 18_000;
const led = attached(1, 'led', { line: 22 });
const good = attached(2, 'good');
const odd = attached(3, 'odd');
const goodSource = sensor('good', works);

/** The neighbours' numbers grow on from here. */
async function goesOn(bench: DriversBench, ...componentIds: number[]) {
  const before = componentIds.map(bench.count);
  await until(
    'the others measure on',
    () => componentIds.every((id, i) => bench.count(id) > before[i]! + 3),
    LONG_MS,
  );
}

const withOdd = async (source: string, config = {}) => {
  const bench = await startDriversBench({ good: goodSource, odd: source }, config);
  await bench.attach([led, good, odd]);
  await until('the good one measures', () => bench.count(2) > 1, LONG_MS);
  return bench;
};

describe('the process of drivers by others', () => {
  it('is there only while a component of such a type is attached', async () => {
    const bench = await startDriversBench({ good: goodSource });
    await bench.attach([led]);
    await until('the built-in one measures', () => bench.count(1) > 0);
    expect(bench.processes).toHaveLength(0);
    await bench.attach([led, good]);
    await until('the other one measures', () => bench.count(2) > 2, LONG_MS);
    expect(bench.running()).toBe(1);
    expect(bench.processes[0]!.residentBytes()).toBeGreaterThan(20e6);
    await bench.attach([led]);
    await until('it is gone', () => bench.running() === 0);
    expect(bench.processes).toHaveLength(1);
    await goesOn(bench, 1);
  });

  it.each([
    [
      'reads files of the agent',
      `read: async () => { (await import('node:fs')).readFileSync('/etc/passwd'); }`,
      'restricted',
    ],
    [
      'starts a program',
      `read: async () => { (await import('node:child_process')).execSync('id'); }`,
      'restricted',
    ],
    [
      'writes a file',
      `read: async () => { (await import('node:fs')).writeFileSync('/tmp/ares-odd', ''); }`,
      'restricted',
    ],
    ['ends the process', `read: async () => { process.exit(3); }`, 'may not call process.exit'],
    ['kills the agent', `read: async () => { process.kill(process.ppid); }`, 'may not call process.kill'],
    [
      'asks for a line that no header has',
      'read: async () => { await hardware.gpio.openInput(40); }',
      'no such line',
    ],
    ['throws', `read: () => { throw 'a string'; }`, 'a string'],
    ['never answers', `read: () => new Promise(() => {})`, 'did not answer within 1000 ms'],
    ['never starts', `start: () => new Promise(() => {}), ${works}`, 'did not answer within'],
    ['makes a value up', `read: async () => [{ metric: 'value', value: 11 }]`, 'outside 0..10'],
    ['reads nonsense', `read: async () => [{ metric: 'value', value: '1' }]`, 'is not a number'],
  ])(
    'shows a driver that %s as the ERROR of its component, and runs on',
    async (_, body, reason) => {
      const bench = await withOdd(sensor('odd', body));
      await until('the error', () => bench.reasons(3).some((text) => text.includes(reason)), LONG_MS);
      await goesOn(bench, 1, 2);
      expect(bench.processes).toHaveLength(1);
      expect(new Set(bench.reasons(2))).toEqual(new Set(['OK']));
    },
    LONG_MS * 2,
  );

  it('has no environment, and keeps what a driver prints out of the conversation', async () => {
    const body = `read: async () => {
      console.log('{"type":"pong"}'); process.stdout.write('garbage\\n'); process.stderr.write('garbage\\n');
      return [{ metric: 'value', value: Object.keys(process.env).length }];
    }`;
    const bench = await withOdd(sensor('odd', body));
    await goesOn(bench, 2, 3);
    expect(bench.status(3)).toBe('OK');
    expect(new Set(bench.values(3))).toEqual(new Set([0]));
    expect(bench.log.some((line) => line.includes('pong') && line.includes('"componentId":3'))).toBe(true);
    expect(bench.log.filter((line) => line.includes('pong')).length).toBeLessThan(45);
  });
});

describe('a driver that brings the process down', () => {
  it.each([
    ['blocks for ever', `read: () => { for (;;); }`, 'did not answer'],
    ['blocks as it loads', works, 'did not answer', 'for (;;);'],
    [
      'fills the heap',
      `read: () => { const all = []; for (;;) all.push(new Array(10_000).fill({})); }`,
      'heap',
    ],
    [
      'fills memory outside of the heap',
      `read: async () => { (globalThis.all ??= []).push(Buffer.alloc(40e6, 1)); return []; }`,
      'MB of memory',
    ],
    [
      'talks garbage to the agent',
      `read: async () => { (await import('node:fs')).writeSync(3, 'garbage\\n'); return []; }`,
      'no message',
    ],
  ])(
    'because it %s is given up after three times, and the others come back',
    async (_, body, reason, head = '') => {
      const bench = await startDriversBench(
        { good: goodSource, odd: sensor('odd', body, head) },
        { answerWithinMs: 1_500 },
      );
      await bench.attach([led, good, odd]);
      await until(
        'it is given up',
        () => bench.reasons(3).some((text) => text.includes('left alone')),
        2 * LONG_MS,
      );
      expect(bench.reasons(3).join()).toContain(reason);
      expect(bench.reasons(3).join()).toContain('its driver brought down');
      await goesOn(bench, 1, 2);
      expect(bench.status(2)).toBe('OK');
      expect(bench.status(3)).toBe('ERROR');
      expect(new Set(bench.reasons(1))).toEqual(new Set(['OK']));
      const after = bench.processes.length;
      await goesOn(bench, 1, 2);
      expect(bench.processes).toHaveLength(after);
    },
    3 * LONG_MS,
  );

  it(
    'out of a timer is found by letting them come back one at a time',
    async () => {
      const body = `start: () => { setTimeout(() => { for (;;); }, 300); }, ${works}`;
      const bench = await startDriversBench(
        { good: goodSource, odd: sensor('odd', body) },
        { answerWithinMs: 1_500 },
      );
      await bench.attach([led, good, odd]);
      await until(
        'it is given up',
        () => bench.reasons(3).some((text) => text.includes('left alone')),
        3 * LONG_MS,
      );
      await goesOn(bench, 1, 2);
      expect(bench.reasons(2).join()).not.toContain('left alone');
    },
    4 * LONG_MS,
  );

  it.each([
    ['throws in a timer', `setTimeout(() => { throw new Error('late'); }, 50)`],
    ['leaves a promise alone', `void Promise.reject(new Error('late'))`],
  ])(
    'is no other than its component when it %s',
    async (_, code) => {
      const bench = await withOdd(sensor('odd', `start: () => { ${code}; }, ${works}`));
      await until('the error', () => bench.reasons(3).some((text) => text.includes('late')), LONG_MS);
      await until(
        'it is given up',
        () => bench.reasons(3).some((text) => text.includes('left alone')),
        LONG_MS,
      );
      await goesOn(bench, 1, 2);
      expect(bench.processes).toHaveLength(1);
      expect(new Set(bench.reasons(2))).toEqual(new Set(['OK']));
    },
    2 * LONG_MS,
  );

  it('ends with the agent, also while it keeps the process busy', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ares-blocked-'));
    writeFileSync(join(dir, 'index.js'), 'for (;;);');
    const program = fileURLToPath(new URL('../support/blocked-drivers.ts', import.meta.url));
    const agent = spawn(process.execPath, ['--conditions=@ares/source', program, dir]);
    // It said that it enters the driver's code, and never says more.
    await once(agent.stdout, 'data');
    const child = readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, 'utf8').trim();
    expect(isRunning(child)).toBe(true);
    agent.kill('SIGKILL');
    await until('it is gone', () => !isRunning(child));
    rmSync(dir, { recursive: true });
  });
});

function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
