import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { driver as dht22 } from '../../src/dht22/dht22.ts';
import { systemDriverClock } from '../../src/index.ts';
import { driver as pump } from '../../src/pump/pump.ts';
import {
  boardNowMs,
  defaultWiring,
  readLevelLog,
  type SpawnedBoard,
  simulatedHardware,
  spawnBoard,
} from '../../src/simulation/index.ts';
import { driver as soilMoisture } from '../../src/soil-moisture/soil-moisture.ts';
import { silentLogger } from '../../src/testing/index.ts';

let dir: string;
let board: SpawnedBoard;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ares-board-'));
  board = await spawnBoard({ dir, speed: 100 });
});
afterEach(async () => {
  await board.stop();
  await rm(dir, { recursive: true });
});

const ports = () => ({ hardware: simulatedHardware(dir), clock: systemDriverClock, logger: silentLogger });
const pumpOnLine = (config: Record<string, unknown> = {}) =>
  pump.create({
    ...pump.parseWiring({ pins: { line: defaultWiring.pump }, config: { minimumOffMs: 0, ...config } }),
    ...ports(),
  });
const sensorOnLine = () =>
  dht22.create({
    ...dht22.parseWiring({ pins: { data: defaultWiring.dht22 }, config: { attempts: 1 } }),
    ...ports(),
  });

describe('a board and the drivers', () => {
  it('shows what the pump did: how often, for how long, and when', async () => {
    const actuator = pumpOnLine();
    await actuator.start();
    const fromMs = boardNowMs();
    await actuator.run('on', { durationMs: 1_000 });
    await vi.waitFor(async () => expect(await readLevelLog(dir, defaultWiring.pump)).toHaveLength(1));
    await actuator.run('off', {});
    const { lines, pumpOnMs, pumpStarts } = await board.report();
    const untilMs = boardNowMs();
    expect(pumpStarts).toBe(1);
    expect(lines[defaultWiring.pump]).toMatchObject({ level: 0, direction: 'out' });
    const [on, off] = await readLevelLog(dir, defaultWiring.pump);
    expect([on!.level, off!.level]).toEqual([1, 0]);
    expect(on!.atMs).toBeGreaterThanOrEqual(fromMs);
    expect(off!.atMs).toBeLessThanOrEqual(untilMs);
    expect(Math.abs(pumpOnMs - (off!.atMs - on!.atMs))).toBeLessThanOrEqual(1);
    await actuator.stop();
  });

  it('waters the soil while the pump is on', async () => {
    const probe = soilMoisture.create({ ...soilMoisture.parseWiring({ pins: {}, config: {} }), ...ports() });
    await probe.start();
    const moisture = async () => (await probe.read())[0]!.value;
    const before = await moisture();
    const actuator = pumpOnLine();
    await actuator.start();
    await actuator.run('on', { durationMs: 10_000 });
    await vi.waitFor(async () => expect(await moisture()).toBeGreaterThan(before + 10), { timeout: 10_000 });
    await actuator.stop();
  });

  it('keeps the pump on when whoever switched it on is gone, until somebody writes the line', async () => {
    const { path, safeValue } = simulatedHardware(dir).gpio.safeOutput(defaultWiring.pump);
    const hardware = simulatedHardware(dir);
    await (await hardware.gpio.openOutput(defaultWiring.pump)).write(true);
    await vi.waitFor(async () =>
      expect((await board.report()).lines[defaultWiring.pump]).toMatchObject({ level: 1 }),
    );
    await promisify(execFile)('sh', ['-c', `echo ${safeValue} > ${path}`]);
    expect(await board.report()).toMatchObject({
      pumpStarts: 1,
      lines: { [defaultWiring.pump]: { level: 0 } },
    });
  });

  it.each([
    ['checksum', 'CHECKSUM'],
    ['missing', 'NO_ANSWER'],
  ] as const)('makes the DHT22 fail with %s, and work again', async (fault, code) => {
    const pin = defaultWiring.dht22;
    await board.send({ dht22: { pin, fault } });
    const broken = sensorOnLine();
    await broken.start();
    await expect(broken.read()).rejects.toMatchObject({ code });
    await board.send({ dht22: { pin, fault: 'none' } });
    const whole = sensorOnLine();
    await whole.start();
    const [temperature] = await whole.read();
    expect(temperature!.value).toBeGreaterThan(10);
    expect(temperature!.value).toBeLessThan(32);
  });

  it('makes the DHT22 say the same for ever', async () => {
    const frame = () => readFile(join(dir, 'dht22', String(defaultWiring.dht22), 'frame'), 'latin1');
    const first = await frame();
    await vi.waitFor(async () => expect(await frame()).not.toBe(first));
    await board.send({ dht22: { pin: defaultWiring.dht22, fault: 'stuck' } });
    const stuck = await frame();
    const adc = () => readFile(join(dir, 'adc', '0'), 'latin1');
    const before = await adc();
    await vi.waitFor(async () => expect(await adc()).not.toBe(before));
    expect(await frame()).toBe(stuck);
  });
});

describe('a board process', () => {
  it('leaves its levels when it ends, and sets them to their pulls when it starts again', async () => {
    await writeFile(join(dir, 'gpio', 'gpio17', 'value'), '1\n');
    await board.stop();
    expect(board.process.exitCode).toBe(0);
    expect(existsSync(join(dir, 'ready'))).toBe(false);
    expect((await readFile(join(dir, 'gpio', 'gpio17', 'value'), 'latin1'))[0]).toBe('1');
    board = await spawnBoard({ dir, pumpActiveLow: true, pumpPin: 22 });
    const { lines } = await board.report();
    expect(lines['17']).toMatchObject({ level: 0, starts: 0 });
    expect(lines['22']).toMatchObject({ level: 1, starts: 0 });
  });

  it('counts an active-low pump as on at the low level', async () => {
    await board.stop();
    board = await spawnBoard({ dir, pumpActiveLow: true });
    const actuator = pumpOnLine({ activeLow: true });
    await actuator.start();
    expect(await board.report()).toMatchObject({ pumpStarts: 0, pumpOnMs: 0 });
    await actuator.run('on', { durationMs: 1_000 });
    expect(await board.report()).toMatchObject({ pumpStarts: 1, lines: { 17: { level: 0 } } });
    await actuator.stop();
    expect(await board.report()).toMatchObject({ lines: { 17: { level: 1 } } });
  });

  it('answers nonsense with an error and lives on', async () => {
    await expect(board.send({ dht22: { pin: 99, fault: 'none' } })).rejects.toThrow(/board refuses/);
    expect((await board.report()).pumpStarts).toBe(0);
  });

  it('ends when whoever started it is gone', async () => {
    const ended = new Promise((resolve) => board.process.once('exit', resolve));
    board.process.stdin!.destroy();
    expect(await ended).toBe(0);
  });

  it('says in a line what is wrong with its arguments', async () => {
    await expect(spawnBoard({ dir, speed: -1 })).rejects.toThrow(/--speed -1: must be/);
  });
});
