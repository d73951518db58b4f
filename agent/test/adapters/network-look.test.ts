import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lookAtNetwork } from '../../src/adapters/network-look.ts';

let sys: string;
beforeEach(() => {
  sys = mkdtempSync(join(tmpdir(), 'ares-sys-'));
});
afterEach(() => rmSync(sys, { recursive: true, force: true }));

function addInterface(name: string, operstate: string, kind: 'wireless' | 'device' | 'none') {
  const folder = join(sys, 'class/net', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'operstate'), `${operstate}\n`);
  if (kind !== 'none') mkdirSync(join(folder, kind));
}
const wifi = () => lookAtNetwork({ sys, proc: '/nowhere' }).wifi;

it('finds the Wi-Fi that is connected', () => {
  addInterface('lo', 'unknown', 'none');
  addInterface('wlan0', 'up', 'wireless');
  expect(wifi()).toEqual({ state: 'ok', detail: 'wlan0 is connected.' });
});

it('needs no Wi-Fi where a cable is connected', () => {
  addInterface('wlan0', 'down', 'wireless');
  addInterface('eth0', 'up', 'device');
  expect(wifi()).toEqual({ state: 'not needed', detail: 'eth0 is connected by cable.' });
});

it('finds the Wi-Fi that is not connected, whatever bridges there are', () => {
  addInterface('wlan0', 'down', 'wireless');
  addInterface('docker0', 'up', 'none');
  expect(wifi()).toEqual({ state: 'broken', detail: 'wlan0 is not connected to a network.' });
});

it('finds an address without a way out', () => {
  const { address } = lookAtNetwork({ sys, proc: '/nowhere' });
  expect(['broken', 'unknown']).toContain(address.state);
});
