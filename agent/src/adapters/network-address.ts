import { networkInterfaces } from 'node:os';

type Interfaces = ReturnType<typeof networkInterfaces>;

/** Whether an interface has an address beyond this machine and its own wire. */
export function hasAddress(interfaces: Interfaces = networkInterfaces()): boolean {
  return Object.values(interfaces).some((addresses) =>
    (addresses ?? []).some(({ internal, address }) => !internal && !isLinkLocal(address)),
  );
}

function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab]/i.test(address);
}
