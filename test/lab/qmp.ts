import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** QEMU's control socket. */
export interface Qmp {
  /** @throws when QEMU refuses the command */
  execute(command: string, args?: object): Promise<unknown>;
  /** A command of QEMU's monitor, for what has no command of its own (`savevm`). @throws when it prints something */
  monitor(line: string): Promise<void>;
  close(): void;
}

interface Answer {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly QMP?: object;
  readonly event?: string;
}

export async function openQmp(path: string): Promise<Qmp> {
  const socket: Socket = connect(path);
  const waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = [];
  socket.on('error', () => undefined);
  socket.once('close', () => {
    for (const each of waiting.splice(0)) each.reject(new Error('QEMU closed its control socket'));
  });
  const lines = createInterface({ input: socket });
  lines.on('error', () => undefined);
  lines.on('line', (line) => {
    const answer = JSON.parse(line) as Answer;
    if (answer.QMP !== undefined || answer.event !== undefined) return;
    const asked = waiting.shift();
    if (answer.error !== undefined) asked?.reject(new Error(`QEMU: ${answer.error.desc}`));
    else asked?.resolve(answer.return);
  });
  const execute = (command: string, args: object = {}) =>
    new Promise<unknown>((resolve, reject) => {
      waiting.push({ resolve, reject });
      socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
  await execute('qmp_capabilities');
  return {
    execute,
    monitor: async (line) => {
      const printed = String(await execute('human-monitor-command', { 'command-line': line })).trim();
      if (printed !== '') throw new Error(`QEMU, ${line}: ${printed}`);
    },
    close: () => socket.destroy(),
  };
}
