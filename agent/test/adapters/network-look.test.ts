import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasAddress, networkAddresses } from '../../src/adapters/network-address.ts';
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

it('tells nothing of addresses where the kernel has no such files', () => {
  expect(lookAtNetwork({ sys, proc: '/nowhere' }).address.state).toBe('unknown');
});

it('finds every address that Node finds by netlink', () => {
  const told = Object.entries(networkInterfaces()).flatMap(([interfaceName, addresses = []]) =>
    addresses
      .filter(({ address, internal }) => !internal && !/^(?:169\.254\.|fe80:)/.test(address))
      .map(({ address }) => ({ address, interfaceName })),
  );
  expect(networkAddresses()).toEqual(expect.arrayContaining(told));
});

describe('the addresses of a board', () => {
  let proc: string;
  beforeEach(() => {
    proc = join(sys, 'proc');
    mkdirSync(join(proc, 'net'), { recursive: true });
  });
  /** As a kernel of Linux 6 writes them, its addresses replaced by those of documentation. */
  const give = (files: { readonly trie?: string; readonly route?: string; readonly inet6?: string }) => {
    writeFileSync(join(proc, 'net/fib_trie'), files.trie ?? '');
    writeFileSync(join(proc, 'net/route'), `Iface\tDestination\tGateway\n${files.route ?? ''}`);
    writeFileSync(join(proc, 'net/if_inet6'), files.inet6 ?? '');
  };
  const local = (address: string) => `           |-- ${address}\n              /32 host LOCAL\n`;
  const route = (name: string, destination: string, mask: string) =>
    `${name}\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0\n`;
  const look = () => lookAtNetwork({ sys, proc }).address;

  it('are named with their interface, and with the way out', () => {
    addInterface('wlan0', 'up', 'wireless');
    const trie = `Main:\n${local('127.0.0.1')}${local('192.0.2.7')}Local:\n${local('192.0.2.7')}`;
    const net = route('wlan0', '000200C0', '00FFFFFF');
    give({ trie, route: net });
    expect(look()).toEqual({
      state: 'broken',
      detail: '192.0.2.7 on wlan0, but no way out of that network.',
    });
    give({ trie, route: route('wlan0', '00000000', '00000000') + net });
    expect(look()).toEqual({ state: 'ok', detail: '192.0.2.7 on wlan0.' });
  });

  it.each([
    [
      'its own',
      { trie: local('127.0.0.1'), inet6: '00000000000000000000000000000001 01 80 10 80       lo\n' },
    ],
    [
      'the wire only',
      { trie: local('169.254.3.4'), inet6: 'fe800000000000000000000000000001 02 40 20 80     eth0\n' },
    ],
    ['another computer too', { inet6: '20010db8000000000000000000000001 02 40 00 88     eth0\n' }],
    ['a cable that was pulled', { trie: local('192.0.2.7'), route: route('eth1', '000200C0', '00FFFFFF') }],
  ])('are none where there is only that of %s', (_, files) => {
    addInterface('eth1', 'down', 'device');
    give(files);
    expect(hasAddress({ sys, proc })).toBe(false);
    expect(look().state).toBe('broken');
  });

  it('are found where there is only IPv6', () => {
    give({ inet6: '20010db8000000000000000000000001 02 40 00 80     eth0\n' });
    expect(networkAddresses({ sys, proc })).toEqual([{ address: '2001:db8::1', interfaceName: 'eth0' }]);
  });
});
