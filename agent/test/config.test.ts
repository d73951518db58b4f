import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'ares-config-'));
const file = join(folder, 'agent.json');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const load = (flags = {}, env = {}, settings?: unknown) => {
  if (settings !== undefined) writeFileSync(file, JSON.stringify(settings));
  return loadConfig({ flags, env, file: settings === undefined ? undefined : file });
};

describe('the settings', () => {
  it('are taken from flags before environment before file', () => {
    const settings = { stateDir: '/file', log: 'plain', logLevel: 'debug' };
    const config = load({ stateDir: '/flag' }, { ARES_STATE_DIR: '/env', ARES_LOG: 'json' }, settings);
    expect(config).toMatchObject({
      stateDir: '/flag',
      log: 'json',
      logLevel: 'debug',
      bleSocket: '/flag/ble.sock',
    });
  });

  it('tune the pace by the file, and leave the rest of it alone', () => {
    const operating = { reconnectSpreadMs: 2_000, batchReadings: 10 };
    expect(load({}, {}, { operating }).operating).toEqual(operating);
    expect(load().operating).toEqual({});
  });

  it.each([
    ['a flag', () => load({ log: 'yaml' }), /command line: log: must be json, plain or journal/],
    ['a variable', () => load({}, { ARES_SAMPLE_INTERVAL_MS: 'soon' }), /environment: sampleIntervalMs/],
    [
      'a pace',
      () => load({}, {}, { operating: { resendAfterMs: 1 } }),
      /operating.resendAfterMs: must be at/,
    ],
    ['a member of the file', () => load({}, {}, { statedir: '/x' }), /agent\.json: .*statedir/],
  ])('say which one is wrong: %s', (_name, run, message) => {
    expect(run).toThrow(message);
  });

  it('say so when the file is no JSON', () => {
    writeFileSync(file, '{');
    expect(() => loadConfig({ flags: {}, env: {}, file })).toThrow(
      /agent\.json cannot be read: it is not JSON/,
    );
  });
});
