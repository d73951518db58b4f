import { describe, expect, it } from 'vitest';
import { createFakePwm, describePwmChip } from '../../src/testing/index.ts';

describePwmChip({ describe, it, expect }, 'fake', async () => {
  const chip = createFakePwm();
  return {
    chip,
    share: async (bcm) => chip.shareOf(bcm),
    periodNs: async (bcm) => chip.periodNs(bcm),
    writeGuard: async (path, text) => chip.enable(Number(/\d+/.exec(path)![0]), text.startsWith('1')),
    [Symbol.asyncDispose]: async () => undefined,
  };
});
