import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Evidence } from '../lifecycle/cause-chain.ts';
import { type KernelFiles, networkAddresses } from './network-address.ts';

/** What the kernel says of this computer's networks. Sends nothing. */
export function lookAtNetwork(kernel: KernelFiles = { sys: '/sys', proc: '/proc' }): {
  readonly wifi: Evidence;
  readonly address: Evidence;
} {
  return { wifi: lookAtLinks(join(kernel.sys, 'class/net')), address: lookAtAddresses(kernel) };
}

function lookAtLinks(folder: string): Evidence {
  const names = listOf(folder).filter((name) => name !== 'lo');
  const up = names.filter((name) => textOf(join(folder, name, 'operstate')).trim() === 'up');
  const isWireless = (name: string) =>
    existsSync(join(folder, name, 'wireless')) || existsSync(join(folder, name, 'phy80211'));
  const radio = up.find(isWireless);
  if (radio !== undefined) return { state: 'ok', detail: `${radio} is connected.` };
  const cable = up.find((name) => existsSync(join(folder, name, 'device')));
  if (cable !== undefined) return { state: 'not needed', detail: `${cable} is connected by cable.` };
  const own = names.find(isWireless);
  if (own !== undefined) return { state: 'broken', detail: `${own} is not connected to a network.` };
  return { state: 'unknown', detail: 'There is no Wi-Fi interface.' };
}

function lookAtAddresses(kernel: KernelFiles): Evidence {
  if (!existsSync(join(kernel.proc, 'net/route')))
    return { state: 'unknown', detail: 'The addresses of this computer cannot be read here.' };
  const [first] = networkAddresses(kernel);
  if (first === undefined) return { state: 'broken', detail: 'No network has given this device an address.' };
  const { address, interfaceName } = first;
  const found = interfaceName === undefined ? address : `${address} on ${interfaceName}`;
  if (!hasDefaultRoute(kernel.proc))
    return { state: 'broken', detail: `${found}, but no way out of that network.` };
  return { state: 'ok', detail: `${found}.` };
}

function hasDefaultRoute(proc: string): boolean {
  const v4 = textOf(join(proc, 'net/route'));
  const v6 = textOf(join(proc, 'net/ipv6_route'));
  return /^\S+\s+00000000\s/m.test(v4) || /^0{32} 00 (?!.*\blo$)/m.test(v6);
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
