import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { socketAddress } from './unix-socket.ts';

/** What the CLI may ask of a running agent. */
export type ControlRequest =
  | { readonly command: 'status' }
  | { readonly command: 'reset' }
  | { readonly command: 'button'; readonly press: 'short' | 'long' };

export type ControlAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/** Another agent holds the state directory. */
export class AgentRunningError extends Error {
  override readonly name = 'AgentRunningError';
  readonly code = 'AGENT_RUNNING';
}

/** The agent of a state directory could not be asked; the message says what to do. */
export class AgentUnreachableError extends Error {
  override readonly name = 'AgentUnreachableError';
  readonly code = 'AGENT_UNREACHABLE';
}

const MAX_REQUEST_BYTES = 4_096;
const ANSWER_TIMEOUT_MS = 10_000;

export interface ControlServer {
  close(): Promise<void>;
}

/**
 * Listens for the CLI on a socket that only the owner of the state directory can open. It is the lock of the
 * directory too: two agents on one device would spend its counters twice.
 *
 * @throws {AgentRunningError | AgentUnreachableError}
 */
export async function openControlSocket(options: {
  readonly path: string;
  handle(request: ControlRequest): Promise<unknown>;
}): Promise<ControlServer> {
  const { path, handle } = options;
  if ((await askAgent(path, { command: 'status' })) !== undefined) {
    throw new AgentRunningError(`An agent runs on this state directory already (${path}).`);
  }
  // Nobody answers, so the file is what a killed agent left behind.
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    serve(socket, handle);
  });
  const address = socketAddress(path);
  server.listen(address.path);
  await once(server, 'listening');
  chmodSync(path, 0o600);
  return {
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      address.release();
    },
  };
}

function serve(socket: Socket, handle: (request: ControlRequest) => Promise<unknown>): void {
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
    if (text.length > MAX_REQUEST_BYTES) return void socket.destroy();
    if (!text.endsWith('\n')) return;
    const line = text;
    text = '';
    void answer(line, handle).then((reply) => socket.end(`${JSON.stringify(reply)}\n`));
  });
}

async function answer(
  line: string,
  handle: (request: ControlRequest) => Promise<unknown>,
): Promise<ControlAnswer> {
  try {
    return { ok: true, value: (await handle(JSON.parse(line) as ControlRequest)) ?? null };
  } catch (cause) {
    return { ok: false, message: cause instanceof Error ? cause.message : String(cause) };
  }
}

/**
 * Asks the agent of a state directory; `undefined` when none runs.
 * @throws {AgentUnreachableError} when one may run that this user cannot ask, or that does not answer
 */
export async function askAgent(path: string, request: ControlRequest): Promise<ControlAnswer | undefined> {
  let socket: Socket;
  try {
    socket = await connectTo(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ECONNREFUSED') return undefined;
    const advice = code === 'EACCES' || code === 'EPERM' ? ' Run it as root: sudo ares-agent …' : '';
    throw new AgentUnreachableError(`The agent cannot be asked (${code} at ${path}).${advice}`, { cause });
  }
  socket.write(`${JSON.stringify(request)}\n`);
  let text = '';
  try {
    for await (const chunk of socket) text += chunk as string;
    return JSON.parse(text) as ControlAnswer;
  } catch (cause) {
    throw new AgentUnreachableError(
      `The agent at ${path} gave no answer. Is it ending, or does it hang? Ask again, and look at its log.`,
      { cause },
    );
  }
}

async function connectTo(path: string): Promise<Socket> {
  const address = socketAddress(path);
  try {
    const socket = connect(address.path);
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
    socket.setEncoding('utf8');
    await once(socket, 'connect');
    return socket;
  } finally {
    address.release();
  }
}
