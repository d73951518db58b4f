import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { advertisedName, scanResponse } from '../../../src/adapters/bluetooth/advertisement.ts';
import { chooseAdapter, hasAdapter } from '../../../src/adapters/bluetooth/choose-adapter.ts';
import { unblockBluetooth } from '../../../src/adapters/bluetooth/rfkill.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ares-sysfs-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const has = (...names: string[]) => {
  for (const name of names) mkdirSync(join(folder, name));
};

describe('choosing an adapter', () => {
  it('takes the first one for the agent alone, whatever else runs', () => {
    has('hci1', 'hci0', 'hci10');
    expect(chooseAdapter('auto', folder)).toEqual({ index: 0, channel: 'user' });
  });

  it('passes over one that somebody is connected by', () => {
    has('hci0', 'hci0:64', 'hci1');
    expect(chooseAdapter('auto', folder)).toEqual({ index: 1, channel: 'user' });
    expect(chooseAdapter('raw', folder)).toEqual({ index: 1, channel: 'raw' });
  });

  it('shares the only one rather than end the connection of a keyboard', () => {
    has('hci0', 'hci0:64');
    expect(chooseAdapter('auto', folder)).toEqual({ index: 0, channel: 'raw' });
    expect(chooseAdapter('user', folder)).toEqual({ index: 0, channel: 'user' });
  });

  it('says that there is none, also where the kernel has no Bluetooth', () => {
    expect(() => chooseAdapter('auto', folder)).toThrow(/no Bluetooth adapter/);
    expect(() => chooseAdapter('auto', join(folder, 'absent'))).toThrow(/no Bluetooth adapter/);
    expect(hasAdapter(0, folder)).toBe(false);
  });
});

describe('a radio that is blocked', () => {
  const paths = () => ({ switches: folder, control: join(folder, 'control') });
  const rfkill = (name: string, type: string, soft: string, hard: string) => {
    has(name);
    for (const [attribute, value] of Object.entries({ type, soft, hard }))
      writeFileSync(join(folder, name, attribute), `${value}\n`);
  };

  it('is unblocked by the event that rfkill itself would write', () => {
    rfkill('rfkill0', 'wlan', '1', '0');
    rfkill('rfkill1', 'bluetooth', '1', '0');
    writeFileSync(paths().control, '');
    unblockBluetooth(paths());
    expect(readFileSync(paths().control).toString('hex')).toBe('0000000002030000');
  });

  it('is left alone when it is not blocked, and nothing needs rights then', () => {
    rfkill('rfkill0', 'wlan', '1', '0');
    rfkill('rfkill1', 'bluetooth', '0', '0');
    expect(() => unblockBluetooth(paths())).not.toThrow();
  });

  it('says what to do when the agent may not, and when only hardware can', () => {
    rfkill('rfkill1', 'bluetooth', '1', '0');
    expect(() => unblockBluetooth(paths())).toThrow(/sudo rfkill unblock bluetooth/);
    writeFileSync(join(folder, 'rfkill1', 'hard'), '1\n');
    expect(() => unblockBluetooth(paths())).toThrow(/hardware switch/);
  });
});

describe('the name in the scan response', () => {
  it('tells devices apart by their label', () => {
    expect(advertisedName('0f9d7c1e-3a52-4b8e-9c64-5d1f2e3a4b5c')).toBe('Ares 4B5C');
  });

  it('is refused when it does not fit', () => {
    expect(() => scanResponse('x'.repeat(30))).toThrow(RangeError);
    expect(scanResponse('x'.repeat(29))).toHaveLength(31);
  });
});
