import { encode } from 'uqr';
import { afterEach, expect, it, vi } from 'vitest';
import { label } from '../../src/cli/label.ts';
import { loadConfig } from '../../src/config.ts';
import { createDeviceWorld, type DeviceWorld } from '../support/device-world.ts';

let world: DeviceWorld;
afterEach(() => {
  vi.restoreAllMocks();
  world.remove();
});

it('shows a QR code with four light modules around it that holds what the app reads', async () => {
  world = await createDeviceWorld();
  const flags = { stateDir: world.stateDir, simulateBoard: `${world.stateDir}/board` };
  const config = loadConfig({ flags, env: {}, file: undefined });
  let shown = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    shown += String(text);
    return true;
  });
  await label(config, {});
  const content = /QR code: +(\S+)/.exec(shown)?.[1] ?? '';
  expect(content).toMatch(/^ARES:1:[0-9a-f-]{36}:[0-9A-Z]{27}$/);
  const { data } = encode(content, { ecc: 'M', border: 4 });
  const dark = modulesOf(shown.split('\n\n')[0] ?? '');
  expect(dark.slice(0, data.length)).toEqual(data);
  expect(data.slice(0, 4).flat()).not.toContain(true);
});

/** Two rows of modules are one line of text; light ones are printed. */
function modulesOf(text: string): boolean[][] {
  const [upper, lower] = ['█▀', '█▄'];
  return text
    .split('\n')
    .flatMap((line) => [upper!, lower!].map((half) => [...line].map((mark) => !half.includes(mark))));
}
