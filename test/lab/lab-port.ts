import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

/** The line-by-line channel to the lab's agent in the guest. */
export interface LabPort {
  /** Sends a line and waits for the answer. @throws {Error} when the time is up or `failed` settles first */
  ask(line: string, answer: string, timeoutMs: number): Promise<void>;
  close(): void;
}

/** Connects to a socket that a starting QEMU is about to make. `failed` rejects when QEMU ends. */
export async function openLabPort(path: string, failed: Promise<never>): Promise<LabPort> {
  const socket = await Promise.race([connectWhenThere(path), failed]);
  const waiting = new Map<string, () => void>();
  socket.on('error', () => undefined);
  createInterface({ input: socket })
    .on('line', (line) => waiting.get(line.trim())?.())
    // It repeats the socket's: QEMU was killed.
    .on('error', () => undefined);
  return {
    ask: async (line, answer, timeoutMs) => {
      const time = new AbortController();
      const answered = new Promise<void>((resolve) => waiting.set(answer, resolve));
      socket.write(`${line}\n`);
      try {
        const late = wait(timeoutMs, undefined, { signal: time.signal }).then(() => {
          throw new Error(`the guest did not answer "${line.slice(0, 20)}" within ${timeoutMs} ms`);
        });
        late.catch(() => undefined);
        await Promise.race([answered, failed, late]);
      } finally {
        time.abort();
        waiting.delete(answer);
      }
    },
    close: () => socket.destroy(),
  };
}

async function connectWhenThere(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (connected) return socket;
    await wait(20);
  }
}
