import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Spreads TCP connections over addresses, as a load balancer of the fourth layer does. */
export interface Balancer {
  readonly port: number;
  close(): Promise<void>;
}

/** Each connection goes to the next address that takes it; one that takes none is left out for that connection. */
export async function startBalancer(port: number, hosts: readonly string[]): Promise<Balancer> {
  const open = new Set<Socket>();
  let turn = 0;
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (caller) => {
    open.add(caller);
    caller.on('error', () => undefined).once('close', () => open.delete(caller));
    turn += 1;
    const tryNext = (left: number): void => {
      if (left === 0) return void caller.destroy();
      const taken = connect({ host: hosts[(turn + left) % hosts.length]!, port, allowHalfOpen: true });
      open.add(taken);
      taken.once('close', () => open.delete(taken));
      const refused = () => tryNext(left - 1);
      taken.once('error', refused);
      taken.once('connect', () => {
        taken.off('error', refused).on('error', () => caller.destroy());
        taken.once('close', () => caller.destroy());
        caller.once('close', () => taken.destroy());
        caller.pipe(taken);
        taken.pipe(caller);
      });
    };
    tryNext(hosts.length);
  });
  await new Promise<void>((listening, fail) => {
    server.once('error', fail);
    server.listen(port, '127.0.0.1', listening);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        for (const socket of open) socket.destroy();
      }),
  };
}
