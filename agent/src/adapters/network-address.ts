import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** An address of this computer that leads beyond itself and its own wire. */
export interface NetworkAddress {
  readonly address: string;
  /** Its interface, where the kernel tells. */
  readonly interfaceName: string | undefined;
}

/** Where the kernel's files are. */
export interface KernelFiles {
  readonly sys: string;
  readonly proc: string;
}

const KERNEL: KernelFiles = { sys: '/sys', proc: '/proc' };

/** Whether an interface has an address beyond this machine and its own wire. */
export function hasAddress(kernel: KernelFiles = KERNEL): boolean {
  return networkAddresses(kernel).length > 0;
}

/**
 * The addresses of interfaces that are up, from /proc: Node's own list (`os.networkInterfaces`) needs netlink sockets,
 * which the service is not allowed. Empty where the kernel has no such files.
 */
export function networkAddresses({ sys, proc }: KernelFiles = KERNEL): readonly NetworkAddress[] {
  const isDown = (name: string) =>
    /^(?:down|lowerlayerdown|notpresent)$/.test(textOf(join(sys, 'class/net', name, 'operstate')).trim());
  const all = [
    ...v4Addresses(textOf(join(proc, 'net/fib_trie')), textOf(join(proc, 'net/route'))),
    ...v6Addresses(textOf(join(proc, 'net/if_inet6'))),
  ];
  return all.filter(({ interfaceName }) => interfaceName === undefined || !isDown(interfaceName));
}

/** The local addresses of the routing table, `|-- 192.0.2.2` and below it `/32 host LOCAL`, each listed twice. */
function v4Addresses(trie: string, routes: string): NetworkAddress[] {
  const found = new Set<string>();
  for (const [, address = ''] of trie.matchAll(/\|-- (\S+)\n\s*\/32 host LOCAL/g)) found.add(address);
  const nets = routes.split('\n').flatMap((line) => {
    const [name = '', destination = '', , , , , , mask = ''] = line.trim().split(/\s+/);
    return /^[0-9A-F]{8}$/.test(mask) && mask !== '00000000' ? [{ name, destination, mask }] : [];
  });
  return [...found]
    .filter((address) => !address.startsWith('127.') && !address.startsWith('169.254.'))
    .map((address) => {
      // In the byte order of the processor, which is little-endian on every board.
      const bits = Buffer.from(address.split('.').map(Number)).readUInt32LE();
      const net = nets.find(
        ({ destination, mask }) =>
          ((bits & Number.parseInt(mask, 16)) >>> 0).toString(16).padStart(8, '0').toUpperCase() ===
          destination,
      );
      return { address, interfaceName: net?.name };
    });
}

/** Source: Linux net/ipv6/addrconf.c, if6_seq_show: address, interface, prefix, scope, flags, name. */
function v6Addresses(table: string): NetworkAddress[] {
  const beyondTheWire = '00';
  /** IFA_F_DADFAILED: somebody else has it. */
  const taken = 0x08;
  return table.split('\n').flatMap((line) => {
    const [digits = '', , , scope, flags = '', name] = line.trim().split(/\s+/);
    if (scope !== beyondTheWire || name === 'lo' || (Number.parseInt(flags, 16) & taken) !== 0) return [];
    const address = digits.match(/.{4}/g)?.map((group) => Number.parseInt(group, 16).toString(16)) ?? [];
    // As people write it.
    return [
      { address: new URL(`http://[${address.join(':')}]/`).hostname.slice(1, -1), interfaceName: name },
    ];
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
