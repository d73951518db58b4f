import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { FromDriversChild, ToDriversChild } from '../ports/drivers-child.ts';

/** The way to the agent: apart from stdin and stdout, which a driver may use as it likes. */
export interface AgentPipe {
  /** The first message. */
  readonly input: Promise<unknown>;
  send(message: FromDriversChild): void;
  onMessage(listener: (message: ToDriversChild) => void): void;
}

/** A pipe on a descriptor of this process, which ends with it. */
export function openAgentPipe(fd: number): AgentPipe {
  const socket = new Socket({ fd });
  // Kept before drivers load: they find one that throws.
  const { reallyExit } = process as unknown as { reallyExit(code: number): never };
  const end = () => reallyExit.call(process, 0);
  socket.on('error', end);
  socket.on('close', end);
  const first = Promise.withResolvers<unknown>();
  let started = false;
  const early: ToDriversChild[] = [];
  let listener: (message: ToDriversChild) => void = (message) => early.push(message);
  createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
    const message: unknown = JSON.parse(line);
    if (started) return listener(message as ToDriversChild);
    started = true;
    first.resolve(message);
  });
  return {
    input: first.promise,
    send: (message) => void socket.write(`${JSON.stringify(message)}\n`),
    onMessage(next) {
      listener = next;
      for (const message of early.splice(0)) next(message);
    },
  };
}
