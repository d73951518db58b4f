import 'reflect-metadata';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { BasicConstraintsExtension, Extension } from '@peculiar/x509';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createMqttBrokerLink } from '../../src/adapters/mqtt-broker-link.ts';
import { connectByKnownTime } from '../../src/adapters/tls-by-known-time.ts';
import { createUndiciCloudApi } from '../../src/adapters/undici-cloud-api.ts';
import { createTestAuthority, type TestAuthority } from '../support/certificates.ts';
import { serveMqtt } from '../support/tiny-mqtt.ts';

type Identity = { readonly key: string; readonly cert: string };
type Issue = NonNullable<Parameters<TestAuthority['issueServer']>[0]>;

const DAY = 86_400_000;
const host = '127.0.0.1';
const signal = new AbortController().signal;
const inDays = (days: number) => Date.now() + days * DAY;
/** This computer's clock is a day behind that of the cloud. */
const cloudNow = inDays(1.5);
const tomorrow = { notBefore: new Date(inDays(1)), notAfter: new Date(inDays(2)) };
let authority: TestAuthority;
let stranger: TestAuthority;
let servers: { close(): unknown; closeAllConnections?(): void }[] = [];
/** What servers got from clients, inside of TLS. */
let heard = '';

beforeAll(async () => {
  authority = await createTestAuthority();
  stranger = await createTestAuthority('Somebody');
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections?.();
    server.close();
  }
  servers = [];
  heard = '';
});

const listen = async (server: Server) => {
  servers.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};
const device = async () => {
  const { key, cert } = await authority.issueServer({ host: 'device', purpose: 'client' });
  return { key, cert };
};

/** Serves with this identity, takes every client of the authority, and connects to it. */
async function connectTo(identity: Identity, over: { host?: string; time?: number } = {}): Promise<string> {
  const port = await listen(
    createServer({ ...identity }, (socket) => {
      socket.on('data', (bytes) => {
        heard += String(bytes);
      });
    }),
  );
  const socket = await connectByKnownTime({
    host: over.host ?? host,
    port,
    ca: [authority.certificatePem],
    time: over.time ?? cloudNow,
    timeoutMs: 5_000,
  });
  socket.destroy();
  return 'connected';
}

const issue = (options: Issue = {}) => authority.issueServer({ ...tomorrow, ...options });
const authorityExtension = (pathLength?: number) => new BasicConstraintsExtension(true, pathLength, true);

describe('FSP-07 a connection by a time that is known', () => {
  it('is made although the certificate is not valid yet by the system', async () => {
    expect(await connectTo(await issue())).toBe('connected');
    expect(await connectTo(await issue({ through: 'an authority' }))).toBe('connected');
    expect(
      await connectTo(await issue({ through: [[authorityExtension(1)], [authorityExtension(0)]] })),
    ).toBe('connected');
  });

  it('is made although the certificate has ended by the system', async () => {
    const yesterday = { notBefore: new Date(inDays(-2)), notAfter: new Date(inDays(-1)) };
    expect(await connectTo(await issue(yesterday), { time: inDays(-1.5) })).toBe('connected');
  });

  it.each([
    ['not yet', inDays(0.5), 'CERT_NOT_YET_VALID'],
    ['no longer', inDays(3), 'CERT_HAS_EXPIRED'],
  ])('NET-05 is refused when the certificate is %s valid by it', async (_, time, code) => {
    await expect(connectTo(await issue(), { time })).rejects.toMatchObject({ code });
  });

  it('NET-05 is refused when an authority between is no longer valid by it', async () => {
    const late = { notBefore: new Date(inDays(366)), notAfter: new Date(inDays(368)) };
    const identity = await issue({ ...late, through: 'an authority' });
    await expect(connectTo(identity, { time: inDays(367) })).rejects.toMatchObject({
      code: 'CERT_HAS_EXPIRED',
    });
  });

  it.each<[string, () => Promise<Identity>]>([
    ['of another authority', () => stranger.issueServer(tomorrow)],
    ['of another host', () => issue({ host: 'elsewhere.example' })],
    ['of a device', () => issue({ purpose: 'client' })],
    ['through a certificate that is no authority', () => issue({ through: 'a leaf' })],
    [
      'through an authority that may issue no other, and did',
      () => issue({ through: [[authorityExtension(0)], [authorityExtension()]] }),
    ],
    [
      'through an authority for some names only',
      // permittedSubtrees: iPAddress 127.0.0.0/8, which OpenSSL finds kept
      () =>
        issue({
          through: [
            [
              authorityExtension(),
              new Extension('2.5.29.30', false, Buffer.from('300ea00c300a87087f000000ff000000', 'hex')),
            ],
          ],
        }),
    ],
    [
      'with a critical part that nobody here knows',
      () =>
        issue({
          through: [[authorityExtension(), new Extension('1.2.3.4', true, Buffer.from('0500', 'hex'))]],
        }),
    ],
  ])('NET-05 is refused to a server with a certificate %s, before a byte is sent', async (_, make) => {
    await expect(connectTo(await make())).rejects.toThrow();
    expect(heard).toBe('');
  });

  it('ends by its time limit, and when it is called off', async () => {
    const silent = (await import('node:net')).createServer();
    servers.push(silent);
    silent.listen(0, host);
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const to = { host, port, ca: [authority.certificatePem], time: cloudNow };
    await expect(connectByKnownTime({ ...to, timeoutMs: 20 })).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    const calledOff = AbortSignal.abort(new Error('called off'));
    await expect(connectByKnownTime({ ...to, timeoutMs: 5_000, signal: calledOff })).rejects.toThrow(
      'called off',
    );
  });
});

describe('FSP-07 the broker, by a time that is known', () => {
  async function startBroker(identity: Identity) {
    const { certificatePem: ca } = authority;
    const options = { ...identity, ca, requestCert: true, rejectUnauthorized: false };
    return listen(
      createServer(options, (socket: TLSSocket) => {
        socket.on('data', (bytes) => {
          heard += bytes.toString('latin1');
        });
        serveMqtt(socket, { accepts: () => true, connected: () => undefined, gone: () => undefined });
      }),
    );
  }
  const connect = async (port: number, knownTime: number | null) => {
    const { key, cert } = await device();
    return createMqttBrokerLink({ knownTime: () => knownTime }).connect({
      host,
      port,
      clientId: 'a-device',
      caCertificates: [authority.certificatePem],
      certificateChain: cert,
      privateKeyPem: key,
      keepAliveSeconds: 30,
      connectTimeoutMs: 5_000,
      will: { topic: 'telemetry/a-device/connection/status', payload: Buffer.from('gone') },
      subscribe: ['commands/a-device/#'],
      onMessage: () => undefined,
    });
  };

  it('lets the device in, which waits for a clock otherwise', async () => {
    const port = await startBroker(await issue());
    await expect(connect(port, null)).rejects.toMatchObject({ code: 'CLOCK_BEHIND' });
    await expect(connect(port, inDays(0.5))).rejects.toMatchObject({ code: 'CLOCK_BEHIND' });
    expect(heard).toBe('');
    const connection = await connect(port, cloudNow);
    expect(heard).toContain('a-device');
    await connection.close();
  });

  it('NET-05 is told nothing when it is another', async () => {
    for (const identity of [await stranger.issueServer(tomorrow), await issue({ purpose: 'client' })]) {
      const port = await startBroker(identity);
      await expect(connect(port, cloudNow)).rejects.toMatchObject({ code: 'SERVER_UNTRUSTED' });
    }
    expect(heard).toBe('');
  });
});

describe('FSP-07 the cloud, by a time that is known', () => {
  it("is asked with the device's certificate, and told nothing when it is another", async () => {
    const clients: boolean[] = [];
    for (const identity of [await issue(), await stranger.issueServer(tomorrow)]) {
      const { certificatePem: ca } = authority;
      const server = createHttpsServer(
        { ...identity, ca, requestCert: true, rejectUnauthorized: false },
        (request, response) => {
          clients.push(Object.keys((request.socket as TLSSocket).getPeerCertificate()).length > 0);
          response.end(
            JSON.stringify({ nonce: 'n'.repeat(22), expiresAt: new Date(cloudNow).toISOString() }),
          );
        },
      );
      const port = await listen(server);
      const { key, cert } = await device();
      const endpoint = {
        apiUrl: `https://${host}:${port}`,
        caCertificates: [ca],
        client: { certificateChain: cert, privateKeyPem: key },
      };
      const [waiting, knowing] = [
        createUndiciCloudApi(endpoint),
        createUndiciCloudApi({ ...endpoint, knownTime: cloudNow }),
      ];
      try {
        await expect(waiting.challenge('d', signal)).rejects.toThrow();
        if (clients.length > 0) {
          await expect(knowing.challenge('d', signal)).rejects.toMatchObject({ code: 'TLS' });
          await expect(knowing.reach(signal)).rejects.toMatchObject({ code: 'TLS' });
        } else {
          await knowing.reach(signal);
          expect(await knowing.challenge('d', signal)).toBe('n'.repeat(22));
        }
      } finally {
        await Promise.all([waiting.close(), knowing.close()]);
      }
    }
    expect(clients).toEqual([true]);
  });
});
