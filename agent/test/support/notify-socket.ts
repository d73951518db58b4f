import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** systemd's side of sd_notify(3): Node has no such sockets, so Python listens. */
export interface NotifySocket {
  /** Every field that came, in order, as `NAME=value`. */
  readonly fields: readonly string[];
  /** The processes that it came from, as the kernel says. */
  readonly senders: ReadonlySet<number>;
  close(): void;
}

const listener = `
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
address = sys.argv[1]
s.bind('\\0' + address[1:] if address.startswith('@') else address)
print('LISTENING=1', flush=True)
while True:
    said, [(_, _, sender)], _, _ = s.recvmsg(4096, 64)
    print('SENDER=%d' % struct.unpack('iii', sender)[0], said.decode(), sep='\\n', flush=True)
`;

/** What the package's unit starts the agent by. */
export const throughNotified = [
  'perl',
  fileURLToPath(
    new URL('../../../deploy/agent-package/root/usr/lib/ares-agent/exec-notified.pl', import.meta.url),
  ),
];

/** Whether this computer can play systemd: it needs Python and Perl. */
export function hasNotify(): boolean {
  try {
    for (const program of ['python3', 'perl']) execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export async function openNotifySocket(path: string): Promise<NotifySocket> {
  const child = spawn('python3', ['-c', listener, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const fields: string[] = [];
  const senders = new Set<number>();
  const lines = createInterface({ input: child.stdout });
  const listening = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line === 'LISTENING=1') resolve();
      else if (line.startsWith('SENDER=')) senders.add(Number(line.slice('SENDER='.length)));
      else if (line !== '') fields.push(line);
    });
  });
  await listening;
  return { fields, senders, close: () => void child.kill('SIGKILL') };
}
