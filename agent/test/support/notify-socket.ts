import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** systemd's side of sd_notify(3): Node has no such sockets, so Python listens. */
export interface NotifySocket {
  /** Every field that came, in order, as `NAME=value`. */
  readonly fields: readonly string[];
  close(): void;
}

const listener = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('LISTENING=1', flush=True)
while True:
    print(s.recv(4096).decode(), flush=True)
`;

/** Whether this computer can play systemd: it needs Python and systemd-notify. */
export function hasNotify(): boolean {
  try {
    for (const program of ['python3', 'systemd-notify'])
      execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export async function openNotifySocket(path: string): Promise<NotifySocket> {
  const child = spawn('python3', ['-c', listener, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const fields: string[] = [];
  const lines = createInterface({ input: child.stdout });
  const listening = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line === 'LISTENING=1') resolve();
      else if (line !== '') fields.push(line);
    });
  });
  await listening;
  return { fields, close: () => void child.kill('SIGKILL') };
}
