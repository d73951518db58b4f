import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeDht22Frame } from '../../src/dht22/dht22-frame.ts';
import { simulatedHardware } from '../../src/simulation/index.ts';
import { describeDht22Bus, describePwmChip } from '../../src/testing/index.ts';

const api = { describe, it, expect };
const makeBoard = () => mkdtemp(join(tmpdir(), 'ares-board-'));

describeDht22Bus(api, 'of a simulated board', async () => {
  const dir = await makeBoard();
  const path = join(dir, 'dht22/4/frame');
  mkdirSync(join(dir, 'dht22/4'), { recursive: true });
  return {
    bus: simulatedHardware(dir).dht22Bus,
    set: async (state) => {
      if (state === 'missing') return rmSync(path, { force: true });
      const frame = encodeDht22Frame(
        state === 'checksum' ? { temperatureCelsius: 20, humidityPercent: 50 } : state,
      );
      if (state === 'checksum') frame[4]! ^= 1;
      writeFileSync(path, Buffer.from(frame).toString('hex'));
    },
    rest: async () => undefined,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  };
});

describePwmChip(api, 'of a simulated board', async () => {
  const dir = await makeBoard();
  const value = (bcm: number, name: string) =>
    Number.parseInt(readFileSync(join(dir, 'pwm', String(bcm), name), 'latin1'), 10);
  return {
    chip: simulatedHardware(dir).pwm,
    nextLife: () => simulatedHardware(dir).pwm,
    share: async (bcm) => (value(bcm, 'enable') === 1 ? value(bcm, 'duty_cycle') / value(bcm, 'period') : 0),
    periodNs: async (bcm) => value(bcm, 'period'),
    writeGuard: async (path, text) => writeFileSync(path, text),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  };
});
