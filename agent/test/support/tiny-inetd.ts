import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Starts `ares-agent child ble` for each connection with the socket as its input and output, as systemd does. */
export async function startTinyInetd(socketPath: string) {
  const children: ChildProcess[] = [];
  // Nothing is read here: it is the child's.
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const args = ['--conditions=@ares/source', main, 'child', 'ble'];
    children.push(spawn(process.execPath, args, { stdio: [socket, socket, 'inherit'], env: {} }));
    socket.destroy();
  });
  server.listen(socketPath);
  await once(server, 'listening');
  return {
    children,
    async stop() {
      for (const child of children) child.kill('SIGKILL');
      server.close();
      await once(server, 'close');
    },
  };
}
