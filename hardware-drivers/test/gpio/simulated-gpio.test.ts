import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createSimulatedGpio, valuePath } from '../../src/gpio/simulated-gpio.ts';
import type { LineLevel } from '../../src/index.ts';
import { spawnBoard } from '../../src/simulation/index.ts';
import { describeGpioChip } from '../../src/testing/index.ts';

describeGpioChip({ describe, it, expect }, 'simulated, with a board process', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ares-board-'));
  const board = await spawnBoard({ dir });
  return {
    chip: createSimulatedGpio(dir),
    level: async (bcm) => (await readFile(valuePath(dir, bcm), 'latin1'))[0] as LineLevel,
    drive: async (pin, level) => board.send({ input: { pin, level: level === '1' ? 1 : 0 } }),
    writeGuard: (path, text) => writeFile(path, text),
    [Symbol.asyncDispose]: async () => {
      await board.stop();
      await rm(dir, { recursive: true });
    },
  };
});

describe('a simulated chip without a board', () => {
  it('says that the board has to be started', async () => {
    const chip = createSimulatedGpio('/nonexistent');
    await expect(chip.openOutput(17)).rejects.toMatchObject({ code: 'GPIO_UNAVAILABLE' });
    await expect(chip.openInput(17)).rejects.toThrow(/start the board/);
  });
});
