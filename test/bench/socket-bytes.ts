import { execFileSync } from 'node:child_process';

/** What one TCP connection has carried so far. */
export interface SocketBytes {
  /** Own port: another one is another connection. */
  readonly port: number;
  /** Payload both ways, TLS records and all. */
  readonly payloadBytes: number;
  readonly segments: number;
}

/** The connection of this process to a port of this computer, as the kernel counts it. @throws when there is not exactly one */
export function socketBytes(pid: number, toPort: number): SocketBytes {
  const text = execFileSync('ss', ['-tinpHO', 'state', 'established', `dport = :${toPort}`], {
    encoding: 'utf8',
  });
  const own = text.split('\n').filter((line) => line.includes(`pid=${pid},`));
  if (own.length !== 1) throw new Error(`${own.length} connections to port ${toPort}:\n${text}`);
  const number = (name: string) => Number(new RegExp(`\\b${name}:(\\d+)`).exec(own[0]!)?.[1] ?? 0);
  const port = Number(/:(\d+)\s+\S+:\d+\s/.exec(own[0]!)?.[1]);
  return {
    port,
    payloadBytes: number('bytes_sent') + number('bytes_received'),
    segments: number('segs_out') + number('segs_in'),
  };
}
