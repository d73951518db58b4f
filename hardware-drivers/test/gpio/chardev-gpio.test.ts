import { execFile, execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openChardevGpio } from '../../src/gpio/chardev-gpio.ts';
import { describeGpioChip } from '../../src/testing/index.ts';
import { isAlive, makeGpiodStandIn } from '../support/gpiod-stand-in.ts';

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function openBench(version = '1.6.3') {
  const wires = await makeGpiodStandIn({ version });
  const runtimeDir = await mkdtemp(join(tmpdir(), 'ares-lines-'));
  const open = () => openChardevGpio({ runtimeDir, toolFolder: wires.folder });
  const state = (bcm: number) => {
    const [level, holder, setter] = readFileSync(join(runtimeDir, `gpio${bcm}`, 'state'), 'latin1')
      .trim()
      .split(' ');
    return { level, holder: Number(holder), setter: Number(setter) };
  };
  const script = (bcm: number, verb: string) =>
    promisify(execFile)('/bin/sh', [
      join(runtimeDir, 'line-holder.sh'),
      join(runtimeDir, `gpio${bcm}`),
      verb,
    ]);
  const end = async () => {
    for (const bcm of [5, 17, 22, 27]) await script(bcm, 'release').catch(() => undefined);
    const left = wires.owner(5)?.pid;
    if (left !== undefined) process.kill(left, 'SIGKILL');
    await rm(runtimeDir, { recursive: true, force: true });
    await rm(wires.folder, { recursive: true, force: true });
  };
  return { chip: await open(), open, wires, runtimeDir, state, script, end };
}
async function bench(version?: string) {
  const made = await openBench(version);
  cleanUps.push(made.end);
  return made;
}

describe.each(['1.6.3', '2.2.1'])('libgpiod %s', (version) => {
  describeGpioChip(
    { describe, it, expect },
    `character device by the tools of libgpiod ${version}`,
    async () => {
      const { chip, wires, end } = await openBench(version);
      return {
        chip,
        level: async (bcm) => wires.level(bcm),
        drive: async (bcm, level) => {
          wires.setPull(bcm, level);
          // A line in use is driven by its holder: another writer of its FIFO is all that "outside" can be.
          const driven = wires.owner(bcm)?.level;
          if (driven !== '0' && driven !== '1') return;
          writeFileSync(chip.safeOutput(bcm).path, `${level}\n`);
          await vi.waitFor(() => expect(wires.level(bcm)).toBe(level), { timeout: 3_000 });
        },
        writeGuard: async (path, text) => {
          writeFileSync(path, text);
          const bcm = Number(/gpio(\d+)$/.exec(dirname(path))?.[1]);
          await vi.waitFor(() => expect(wires.level(bcm)).toBe(text.trim()), { timeout: 3_000 });
        },
        [Symbol.asyncDispose]: end,
      };
    },
  );
});

describe('an output of the character device', () => {
  it('is on the wire only as old and new level, whatever its pull', async () => {
    const { chip, wires } = await bench();
    for (const [bcm, pull] of [
      [17, '1'],
      [22, '0'],
    ] as const) {
      wires.setPull(bcm, pull);
      const line = await chip.openOutput(bcm);
      await line.write(false);
      await line.write(true);
      await line.write(true);
      await line.write(false);
      expect(wires.history(bcm)).toEqual(['0', '1', '0']);
    }
  });

  it('is held by the same process when the next life of the agent opens it', async () => {
    const { chip, open, wires } = await bench();
    wires.setPull(17, '1');
    await chip.openOutput(17);
    const holding = wires.owner(17)?.pid;
    const line = await (await open()).openOutput(17);
    expect(wires.owner(17)?.pid).toBe(holding);
    expect(await line.read()).toBe(false);
  });

  it('leaves the script that a holder runs as it is when a later version brings another', async () => {
    const { wires, runtimeDir } = await bench();
    const running = openSync(join(runtimeDir, 'line-holder.sh'), 'r');
    const before = readFileSync(join(runtimeDir, 'line-holder.sh'), 'utf8');
    const holderScript = join(wires.folder, 'later.sh');
    writeFileSync(holderScript, '# later\n');
    await openChardevGpio({ runtimeDir, toolFolder: wires.folder, holderScript });
    expect(readFileSync(running, 'utf8')).toBe(before);
    closeSync(running);
    expect(readFileSync(join(runtimeDir, 'line-holder.sh'), 'utf8')).toBe('# later\n');
  });

  it('takes a plain write of a shell, as a guard makes it', async () => {
    const { chip, wires } = await bench();
    wires.setPull(17, '1');
    const line = await chip.openOutput(17);
    await line.write(true);
    execFileSync('/bin/sh', ['-c', 'echo 0 >"$1"', 'sh', line.guardPath]);
    await vi.waitFor(() => expect(wires.level(17)).toBe('0'));
    await vi.waitFor(async () => expect(await line.read()).toBe(false));
  });

  it('falls back to its safe level when gpioset ends by itself', async () => {
    const { chip, wires } = await bench();
    wires.setPull(17, '0');
    const line = await chip.openOutput(17, { activeLow: true });
    await line.write(true);
    process.kill(wires.owner(17)!.pid, 'SIGKILL');
    await vi.waitFor(() => expect(wires.owner(17)?.level).toBe('1'), { timeout: 3_000 });
    expect(await line.read()).toBe(false);
  });

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'is made safe by the script when its holder got a %s',
    async (signal) => {
      const { chip, wires, state, script } = await bench();
      wires.setPull(17, '1');
      const line = await chip.openOutput(17);
      await line.write(true);
      process.kill(state(17).holder, signal);
      await script(17, '0');
      expect(wires.level(17)).toBe('0');
      expect(await line.read()).toBe(false);
      await line.write(true);
      expect(wires.level(17)).toBe('1');
    },
  );

  it('is taken over without a change from a holder that was killed', async () => {
    const { chip, wires, state, script } = await bench();
    wires.setPull(17, '1');
    await chip.openOutput(17);
    const holding = wires.owner(17)?.pid;
    process.kill(state(17).holder, 'SIGKILL');
    await script(17, '0');
    expect(wires.owner(17)?.pid).toBe(holding);
    expect(wires.history(17)).toEqual(['0']);
  });

  it('is left held at its safe level by a holder that is told to end', async () => {
    const { chip, wires, state } = await bench();
    wires.setPull(17, '1');
    const line = await chip.openOutput(17);
    await line.write(true);
    const { holder } = state(17);
    process.kill(holder, 'SIGTERM');
    await vi.waitFor(() => expect(isAlive(holder)).toBe(false), { timeout: 3_000 });
    expect(wires.owner(17)?.level).toBe('0');
  });

  it('reads as an error, not as off, when nobody holds it', async () => {
    const { chip, wires, state } = await bench();
    const line = await chip.openOutput(17);
    process.kill(state(17).holder, 'SIGKILL');
    process.kill(wires.owner(17)!.pid, 'SIGKILL');
    await vi.waitFor(() => expect(wires.owner(17)).toBeUndefined());
    await expect(line.read()).rejects.toMatchObject({ code: 'IO_FAILED' });
  });

  it('is not held again by a guard that still knows it, once it was given back', async () => {
    const { chip, wires, script } = await bench();
    const { path } = chip.safeOutput(17);
    await chip.openOutput(17);
    await script(17, 'release');
    await vi.waitFor(() => expect(wires.owner(17)).toBeUndefined());
    expect(existsSync(path)).toBe(false);
    await (await chip.openOutput(22)).write(true);
    expect(wires.owner(17)).toBeUndefined();
  });

  it('can become an input once it is closed', async () => {
    const { chip, wires } = await bench();
    const line = await chip.openOutput(5);
    await line.close();
    wires.setPull(5, '1');
    const input = await chip.openInput(5);
    expect(await input.read()).toBe(true);
    await input.close();
  });
});

describe('a line that somebody else has', () => {
  it.each([
    ['sysfs', /unexport/],
    ['pump-test', /used by pump-test/],
  ])('is refused with its user %s and what to do', async (consumer, message) => {
    const { chip, wires } = await bench();
    writeFileSync(join(wires.folder, 'owner17'), `${process.pid} 0\n`);
    writeFileSync(join(wires.folder, 'consumer17'), consumer);
    await expect(chip.openOutput(17)).rejects.toMatchObject({
      code: 'PIN_BUSY',
      message: expect.stringMatching(message),
    });
    await expect(chip.openInput(17)).rejects.toMatchObject({
      code: 'PIN_BUSY',
      message: expect.stringMatching(message),
    });
  });
});

describe('a board whose tools cannot be used', () => {
  it('says that they are not installed', async () => {
    const opened = openChardevGpio({ runtimeDir: join(tmpdir(), 'ares-none'), toolFolder: '/nonexistent' });
    await expect(opened).rejects.toMatchObject({
      code: 'GPIO_UNAVAILABLE',
      message: expect.stringMatching(/install/),
    });
  });

  it('says which chips it found instead of the header', async () => {
    const { folder } = await makeGpiodStandIn({ version: '1.6.3', label: 'INT34C5:00' });
    const opened = openChardevGpio({ runtimeDir: join(tmpdir(), 'ares-none'), toolFolder: folder });
    await expect(opened).rejects.toThrow(/found: brcmvirt-gpio, INT34C5:00/);
    await rm(folder, { recursive: true });
  });
});
