import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SafeOutput } from '@ares/hardware-drivers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createShellGuard } from '../../src/adapters/shell-guard.ts';
import { createSystemClock } from '../../src/adapters/system-clock.ts';
import type { Guard } from '../../src/ports/guard.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { until } from '../support/fake-clock.ts';

let dir: string;
let guard: Guard;
const output = (bcm: number, safeValue: '0' | '1' = '0'): SafeOutput => ({
  bcm,
  path: join(dir, `gpio${bcm}`, 'value'),
  safeValue,
});
const level = (bcm: number) => readFileSync(output(bcm).path, 'utf8').trim();
const drive = (bcm: number, value: string) => writeFileSync(output(bcm).path, value);
const processesOf = () =>
  spawnSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line.includes('guard.sh'))
    .map((line) => ({ pid: Number(line.trim().split(/\s+/)[0]), ppid: Number(line.trim().split(/\s+/)[1]) }));
/** The shell that this process started. */
const guardPid = () => processesOf().find(({ ppid }) => ppid === process.pid)?.pid;

beforeEach(async () => {
  // A folder with a space: paths are never split.
  dir = mkdtempSync(join(tmpdir(), 'ares guard '));
  for (const bcm of [17, 27]) mkdirSync(join(dir, `gpio${bcm}`));
  drive(17, '1');
  drive(27, '0');
  guard = createShellGuard({ clock: createSystemClock(), logger: silentLogger });
  await guard.start();
});
afterEach(async () => {
  await guard.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('the shell guard', () => {
  it('writes the safe level as soon as an output is named, high or low', async () => {
    await guard.protect('2', [output(17), output(27, '1')]);
    expect([level(17), level(27)]).toEqual(['0', '1']);
  });

  it('writes the safe level when the lease ends, on time', async () => {
    await guard.protect('2', [output(17)]);
    await guard.arm('2', 300, [output(17)]);
    drive(17, '1');
    const startedAt = Date.now();
    await until('it is safe', () => level(17) === '0');
    expect(Math.abs(statSync(output(17).path).mtimeMs - startedAt - 300)).toBeLessThan(150);
  });

  it('lets a second lease take over from the first without a gap', async () => {
    await guard.protect('2', [output(17)]);
    await guard.arm('2', 800, [output(17)]);
    drive(17, '1');
    await guard.arm('2', 1_600, [output(17)]);
    const since = performance.now();
    await until('it is safe', () => level(17) === '0');
    expect(performance.now() - since).toBeGreaterThan(1_400);
  });

  it('leaves an output alone after disarming', async () => {
    await guard.protect('2', [output(17)]);
    await guard.arm('2', 700, [output(17)]);
    drive(17, '1');
    await guard.disarm('2');
    await guard.arm('3', 1_000, [output(27)]);
    drive(27, '1');
    await until('the other lease ended', () => level(27) === '0');
    expect(level(17)).toBe('1');
  });

  it('never touches another output, nor its own, by renewals and ends that follow each other at once', async () => {
    await guard.protect('2', [output(17)]);
    await guard.protect('3', [output(27)]);
    await guard.arm('2', 60_000, [output(17)]);
    drive(17, '1');
    drive(27, '1');
    for (let i = 0; i < 60; i++) {
      await guard.arm('2', 60_000, [output(17)]);
      await guard.arm('3', 60_000, [output(27)]);
      await guard.disarm('3');
      expect([level(17), level(27)]).toEqual(['1', '1']);
    }
    await guard.stop();
    expect([level(17), level(27)]).toEqual(['0', '0']);
  });

  it('makes everything safe when it is ended, and leaves no timer behind', async () => {
    await guard.protect('2', [output(17)]);
    await guard.arm('2', 60_000, [output(17)]);
    drive(17, '1');
    const pid = guardPid();
    await guard.stop();
    expect(level(17)).toBe('0');
    expect(processesOf().filter((one) => one.pid === pid || one.ppid === pid)).toEqual([]);
  });

  it('CMD-11 is started again when it is killed: tells at once, refuses meanwhile, protects again', async () => {
    await guard.protect('2', [output(17)]);
    let lost = 0;
    guard.onLost(() => {
      lost++;
    });
    process.kill(guardPid()!, 'SIGKILL');
    await until('the loss is told', () => lost === 1);
    expect(guard.available()).toBe(false);
    await expect(guard.arm('2', 1_000, [output(17)])).rejects.toMatchObject({ code: 'GUARD_UNAVAILABLE' });
    drive(17, '1');
    await until('it is back', () => guard.available());
    expect(level(17)).toBe('0');
    await guard.arm('2', 1_000, [output(17)]);
  });

  it('leaves no timer of a guard that was killed to cut a later run short', async () => {
    await guard.protect('2', [output(17)]);
    await guard.arm('2', 1_500, [output(17)]);
    process.kill(guardPid()!, 'SIGKILL');
    await until('it is gone', () => !guard.available());
    await until('it is back', () => guard.available());
    await guard.arm('2', 60_000, [output(17)]);
    drive(17, '1');
    await guard.arm('3', 1_600, [output(27)]);
    drive(27, '1');
    await until('the former lease would have ended', () => level(27) === '0');
    expect(level(17)).toBe('1');
  });

  it('CMD-11 writes at once when a timer loses its sleep', async () => {
    await guard.protect('2', [output(17)]);
    await guard.arm('2', 60_000, [output(17)]);
    drive(17, '1');
    const timer = () => processesOf().find(({ ppid }) => ppid === guardPid())?.pid;
    const sleep = () =>
      spawnSync('ps', ['-o', 'pid=', '--ppid', String(timer() ?? 0)], { encoding: 'utf8' }).stdout.trim();
    await until('it sleeps', () => sleep() !== '');
    process.kill(Number(sleep()), 'SIGKILL');
    await until('it is safe', () => level(17) === '0');
  });

  it('CMD-07 makes safe at its start what was on when it and the agent were killed together', async () => {
    const recordPath = join(dir, 'outputs.json');
    const ports = { clock: createSystemClock(), logger: silentLogger, recordPath };
    const first = createShellGuard(ports);
    await guard.stop();
    await first.start();
    await first.protect('2', [output(17)]);
    // A copy of the record, as two processes that die at one instant leave it.
    const left = readFileSync(recordPath, 'utf8');
    await first.release('2');
    await first.stop();
    writeFileSync(recordPath, left);
    drive(17, '1');
    guard = createShellGuard(ports);
    await guard.start();
    expect(level(17)).toBe('0');
  });

  it('writes nothing at its start that was in use before the machine was restarted', async () => {
    const recordPath = join(dir, 'outputs.json');
    const kernelBoot = '00000000-0000-4000-8000-000000000000';
    writeFileSync(recordPath, JSON.stringify({ kernelBoot, outputs: [output(17)] }));
    const next = createShellGuard({ clock: createSystemClock(), logger: silentLogger, recordPath });
    await next.start();
    expect(level(17)).toBe('1');
    await next.stop();
  });

  it.each(['', 'rubbish', '{}', 'null'])('starts all the same with a damaged record: %j', async (text) => {
    const recordPath = join(dir, 'outputs.json');
    writeFileSync(recordPath, text);
    const next = createShellGuard({ clock: createSystemClock(), logger: silentLogger, recordPath });
    await next.start();
    expect(next.available()).toBe(true);
    await next.stop();
  });

  it('writes nothing at its start of what was released', async () => {
    const recordPath = join(dir, 'outputs.json');
    const ports = { clock: createSystemClock(), logger: silentLogger, recordPath };
    const first = createShellGuard(ports);
    await first.start();
    await first.protect('2', [output(17)]);
    await first.release('2');
    await first.stop();
    drive(17, '1');
    const second = createShellGuard(ports);
    await second.start();
    expect(level(17)).toBe('1');
    await second.stop();
  });

  it('is replaced when it is stopped and does not answer', async () => {
    const pid = guardPid()!;
    process.kill(pid, 'SIGSTOP');
    await expect(guard.protect('2', [output(17)])).rejects.toMatchObject({ code: 'GUARD_UNAVAILABLE' });
    await until('there is another', () => guard.available() && guardPid() !== pid);
  });

  it('refuses to arm what it cannot write', async () => {
    const missing = { bcm: 5, path: join(dir, 'gpio5', 'value'), safeValue: '0' } as const;
    await expect(guard.arm('5', 1_000, [missing])).rejects.toMatchObject({ code: 'GUARD_REFUSED' });
  });

  it.each(['$(touch pwned)', '"; touch pwned; "', '`touch pwned`', "'\\''"])(
    'takes a path literally: %s',
    async (name) => {
      mkdirSync(join(dir, name), { recursive: true });
      const path = join(dir, name, 'value');
      writeFileSync(path, '1');
      await guard.protect('9', [{ bcm: 9, path, safeValue: '0' }]);
      expect(readFileSync(path, 'utf8').trim()).toBe('0');
      expect(() => statSync('pwned')).toThrow();
    },
  );

  it('refuses a path that would be two lines', async () => {
    const broken = { bcm: 9, path: join(dir, 'a\nprotect\tx\t/tmp/y\t1'), safeValue: '0' } as const;
    await expect(guard.protect('9', [broken])).rejects.toMatchObject({ code: 'GUARD_REFUSED' });
  });
});
