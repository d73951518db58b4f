import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';

/** What a TLS client meets at a listener that asks for a certificate: let in, or turned away and why. */
export type Handshake =
  | { readonly accepted: true; readonly commonName: string }
  | { readonly accepted: false; readonly reason: string };

/** One real handshake over loopback, judged by the server: with TLS 1.3 a client learns of its refusal too late. */
export async function tryHandshake(options: {
  readonly ca: string;
  readonly crl?: readonly string[];
  readonly server: { readonly keyPem: string; readonly chainPem: string };
  readonly client: { readonly keyPem: string; readonly chainPem: string };
  readonly serverName?: string;
}): Promise<Handshake> {
  const server = createServer({
    key: options.server.keyPem,
    cert: options.server.chainPem,
    ca: options.ca,
    requestCert: true,
    rejectUnauthorized: false,
    ...(options.crl && { crl: [...options.crl] }),
  });
  const judged = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    servername: options.serverName ?? 'localhost',
    ca: options.ca,
    key: options.client.keyPem,
    cert: options.client.chainPem,
  });
  try {
    await once(client, 'secureConnect');
    const [socket] = await judged;
    const accepted = socket.authorized;
    const reason = String(socket.authorizationError);
    const commonName = String(socket.getPeerCertificate().subject?.CN);
    socket.destroy();
    return accepted ? { accepted, commonName } : { accepted, reason };
  } finally {
    client.destroy();
    server.close();
  }
}
