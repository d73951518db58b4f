import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const CONVERSATION = `
  const uuid = '0f9d7c1e-3a52-4b8e-9c64-5d1f2e3a4b5c';
  const setupCode = new Uint8Array(16).fill(5);
  let seed = 1;
  const random = (length) => Uint8Array.from({ length }, () => (seed = (seed * 75 + 74) % 65537) & 255);
  let notify;
  const session = new ble.DeviceSession({
    uuid, setupCode, random, mtuPayload: 20,
    state: () => 'claimable',
    handle: async () => ({ type: 'wifi-scan', networks: [{ ssid: 'Café 🌱', signalDbm: -50, security: 'wpa' }] }),
    send: (chunk) => notify(chunk),
  });
  const link = {
    mtuPayload: 20,
    readInfo: async () => ble.encodeInfo({ uuid, state: 'claimable' }),
    write: async (chunk) => session.receive(chunk),
    onNotify: (listener) => { notify = listener; },
    onDisconnect: () => {},
    disconnect: () => {},
  };
  ble.connectDevice({ link, setupCode: ble.formatSetupCode(setupCode), random })
    .then((device) => device.wifiScan())
    .then((scan) => scan.networks[0].ssid);
`;

describe('the Bluetooth conversation', () => {
  it('runs in a JavaScript engine that offers nothing of Node and nothing of the web', async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL('../../src/ble/index.ts', import.meta.url))],
      bundle: true,
      write: false,
      platform: 'neutral',
      mainFields: ['module', 'main'],
      format: 'iife',
      globalName: 'ble',
    });
    const engine = createContext({});
    expect(
      runInContext('[typeof process, typeof Buffer, typeof TextEncoder, typeof crypto]', engine),
    ).toEqual(Array(4).fill('undefined'));
    runInContext(outputFiles[0]?.text ?? '', engine);
    expect(await runInContext(CONVERSATION, engine)).toBe('Café 🌱');
  });
});
