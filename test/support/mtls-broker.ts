import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { Aedes, type Client } from 'aedes';
import type { TestCertificate } from './certificates.ts';

/** A real MQTT 3.1.1 broker with mutual TLS on a free port of loopback. */
export interface MtlsBroker extends AsyncDisposable {
  readonly port: number;
  readonly published: {
    readonly topic: string;
    readonly payload: Buffer;
    readonly clientId: string | undefined;
  }[];
  /** Client ids that are connected now. */
  readonly clients: ReadonlySet<string>;
  deliver(topic: string, payload: Uint8Array | string): Promise<void>;
  /** Cuts every TCP connection without a word. */
  cut(): void;
  /** Says no to everybody from now on, with this CONNACK code; none lets them in again. */
  refuse(connackCode?: number): void;
}

/** @param options.softTls lets bad certificates through TLS and says no by CONNACK 5, so that they learn why */
export async function startMtlsBroker(options: {
  readonly ca: string;
  readonly server: TestCertificate;
  readonly softTls?: boolean;
}): Promise<MtlsBroker> {
  let refusal: number | undefined;
  const aedes = await Aedes.createBroker({
    authenticate: (client, _user, _password, done) => {
      const socket = client.conn as unknown as TLSSocket;
      const code = refusal ?? (socket.authorized ? undefined : 5) ?? idRefusal(client, socket);
      if (code === undefined) done(null, true);
      else done(Object.assign(new Error(`refused with ${code}`), { returnCode: code }) as never, false);
    },
  });
  const sockets = new Set<Socket>();
  const clients = new Set<string>();
  const published: { topic: string; payload: Buffer; clientId: string | undefined }[] = [];
  aedes.on('client', ({ id }) => clients.add(id));
  aedes.on('clientDisconnect', ({ id }) => clients.delete(id));
  aedes.on('publish', ({ topic, payload }, client) => {
    if (!topic.startsWith('$SYS'))
      published.push({ topic, payload: Buffer.from(payload), clientId: client?.id });
  });
  const server = createServer(
    {
      key: options.server.keyPem,
      cert: options.server.certificatePem,
      ca: options.ca,
      requestCert: true,
      rejectUnauthorized: options.softTls !== true,
    },
    (socket) => aedes.handle(socket),
  );
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    published,
    clients,
    deliver: (topic, payload) =>
      new Promise((resolve, reject) => {
        const bytes = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload);
        const packet = { cmd: 'publish', topic, payload: bytes, qos: 1, retain: false, dup: false } as const;
        aedes.publish(packet, (error?: Error | null) => (error ? reject(error) : resolve()));
      }),
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    refuse: (code) => {
      refusal = code;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** CONNACK 2 unless the client calls itself what its certificate says. */
function idRefusal(client: Client, socket: TLSSocket): number | undefined {
  return client.id === socket.getPeerCertificate().subject?.CN ? undefined : 2;
}
