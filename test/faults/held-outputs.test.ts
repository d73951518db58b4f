import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GpioChip, OutputLine } from '@ares/hardware-drivers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createShellGuard } from '../../agent/src/adapters/shell-guard.ts';
import { createSystemClock } from '../../agent/src/adapters/system-clock.ts';
import type { Guard } from '../../agent/src/ports/guard.ts';
import { silentLogger } from '../../agent/src/ports/logger.ts';
import { until } from '../../agent/test/support/fake-clock.ts';
import { openChardevGpio } from '../../hardware-drivers/src/gpio/chardev-gpio.ts';
import { makeGpiodStandIn } from '../../hardware-drivers/test/support/gpiod-stand-in.ts';

const outputsSafe = fileURLToPath(new URL('../../agent/src/guard/outputs-safe.sh', import.meta.url));
let wires: Awaited<ReturnType<typeof makeGpiodStandIn>>;
/** With a space: paths are never split. */
let dir: string;
let chip: GpioChip;
let guard: Guard;
let line: OutputLine;

const recordPath = () => join(dir, 'outputs.json');
const makeGuard = () =>
  createShellGuard({ clock: createSystemClock(), logger: silentLogger, recordPath: recordPath() });
const output = (bcm: number) => chip.safeOutput(bcm);
const holder = (bcm: number) =>
  Number(readFileSync(join(dir, 'lines', `gpio${bcm}`, 'state'), 'latin1').split(' ')[1]);
const guardPid = () =>
  Number(
    execFileSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' })
      .split('\n')
      .map((text) => text.trim().split(/\s+/))
      .find(
        ([, parent, ...args]) => Number(parent) === process.pid && args.join(' ').includes('guard.sh'),
      )?.[0],
  );

beforeEach(async () => {
  wires = await makeGpiodStandIn({ version: '1.6.3' });
  dir = await mkdtemp(join(tmpdir(), 'ares held '));
  // Whatever nobody holds is on.
  for (const bcm of [17, 22]) wires.setPull(bcm, '1');
  chip = await openChardevGpio({ runtimeDir: join(dir, 'lines'), toolFolder: wires.folder });
  guard = makeGuard();
  await guard.start();
  line = await chip.openOutput(17);
  await guard.protect('2', [output(17)]);
});
afterEach(async () => {
  await guard.stop();
  for (const bcm of [17, 22])
    spawnSync('/bin/sh', [join(dir, 'lines', 'line-holder.sh'), join(dir, 'lines', `gpio${bcm}`), 'release']);
  await rm(dir, { recursive: true, force: true });
  await rm(wires.folder, { recursive: true, force: true });
});

describe('an output of the character device, with its pull at the unsafe level', () => {
  it('CMD-11 goes safe when its lease ends', async () => {
    await guard.arm('2', 300, [output(17)]);
    await line.write(true);
    await until('it is safe', () => wires.level(17) === '0');
    expect(await line.read()).toBe(false);
  });

  it('CMD-11 goes safe when its lease ends after its holder was killed', async () => {
    await guard.arm('2', 500, [output(17)]);
    await line.write(true);
    process.kill(holder(17), 'SIGKILL');
    await until('it is safe', () => wires.owner(17)?.level === '0');
  });

  it('goes safe when the guard ends, whether its holder lives, hangs or was killed', async () => {
    for (const signal of [undefined, 'SIGSTOP', 'SIGKILL'] as const) {
      await line.write(true);
      if (signal !== undefined) process.kill(holder(17), signal);
      await guard.stop();
      await until(`it is safe after ${signal}`, () => wires.owner(17)?.level === '0');
      guard = makeGuard();
      await guard.start();
      await guard.protect('2', [output(17)]);
    }
  });

  it('CMD-07 is made safe by the script for systemd when agent and guard are gone together', async () => {
    const second = await chip.openOutput(22);
    await guard.protect('3', [output(22)]);
    await line.write(true);
    await second.write(true);
    // A guard that hangs does nothing, as one that was killed; its agent starts no other.
    process.kill(guardPid(), 'SIGSTOP');
    process.kill(holder(22), 'SIGKILL');
    const since = performance.now();
    expect(spawnSync('/bin/sh', [outputsSafe, dir]).status).toBe(0);
    expect([wires.owner(17)?.level, wires.owner(22)?.level]).toEqual(['0', '0']);
    expect(performance.now() - since).toBeLessThan(1_500);
    process.kill(guardPid(), 'SIGCONT');
  });

  it('CMD-07 is made safe at the next start of the agent', async () => {
    await line.write(true);
    process.kill(guardPid(), 'SIGSTOP');
    process.kill(holder(17), 'SIGKILL');
    const next = makeGuard();
    await next.start();
    expect(wires.owner(17)?.level).toBe('0');
    await next.stop();
    process.kill(guardPid(), 'SIGCONT');
  });

  it('is left alone by the script when the record is of another run of the machine, or is not there', async () => {
    await line.write(true);
    const record = readFileSync(recordPath(), 'utf8');
    writeFileSync(recordPath(), record.replace(/"kernelBoot":"[^"]+"/, '"kernelBoot":"another"'));
    expect(spawnSync('/bin/sh', [outputsSafe, dir]).status).toBe(0);
    expect(spawnSync('/bin/sh', [outputsSafe, '/nonexistent']).status).toBe(0);
    expect(wires.level(17)).toBe('1');
  });
});
