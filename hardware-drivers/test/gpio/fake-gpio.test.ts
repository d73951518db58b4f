import { describe, expect, it } from 'vitest';
import { createFakeGpio, describeGpioChip } from '../../src/testing/index.ts';

describeGpioChip({ describe, it, expect }, 'fake', async () => {
  const chip = createFakeGpio();
  return {
    chip,
    level: async (bcm) => chip.level(bcm),
    drive: async (bcm, level) => chip.drive(bcm, level),
    [Symbol.asyncDispose]: async () => undefined,
  };
});
