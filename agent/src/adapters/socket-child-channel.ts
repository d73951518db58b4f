import { connect } from 'node:net';
import type { ChildChannel } from '../ports/child-jobs.ts';
import { readJsonLines } from './json-lines.ts';

const DESTROY_AFTER_MS = 1_000;

/**
 * A conversation with a child that the service manager starts for each connection to a Unix socket, so that the
 * child may have rights that this process lacks. It speaks as a child of this process would.
 *
 * A socket that is not there, or refuses, ends the conversation with the message `unavailable`.
 */
export function openSocketChild(options: {
  readonly socketPath: string;
  readonly input: unknown;
  /** What to tell a person when nobody answers there. */
  readonly advice: string;
}): ChildChannel {
  const { socketPath } = options;
  const socket = connect(socketPath);
  let listener: (message: unknown) => void = () => {};
  let asked = false;
  let connected = false;
  let failure: Error | undefined;
  readJsonLines(
    socket,
    (message) => listener(message),
    (error) => {
      failure = error;
      socket.destroy();
    },
  );
  socket.once('connect', () => {
    connected = true;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= error;
    if (!connected && !asked)
      listener({
        type: 'unavailable',
        detail: `Nobody answers at ${socketPath} (${error.code ?? error.message}). ${options.advice}`,
      });
  });
  const closed = new Promise<Error | undefined>((resolve) => {
    socket.once('close', () =>
      resolve(asked ? undefined : (failure ?? new Error(`the other side of ${socketPath} has ended`))),
    );
  });
  const send = (message: unknown) => {
    if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
  };
  send(options.input);
  return {
    send,
    onMessage(next) {
      listener = next;
    },
    closed,
    async close() {
      asked = true;
      socket.end();
      const timer = setTimeout(() => socket.destroy(), DESTROY_AFTER_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}
