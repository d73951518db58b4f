import { once } from 'node:events';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Socket,
} from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createMqttBrokerLink } from '../../agent/src/adapters/mqtt-broker-link.ts';
import type { ConnectOptions, LinkErrorCode } from '../../agent/src/ports/broker-link.ts';
import { createFakeBroker } from '../../agent/test/support/fake-broker.ts';
import { brokerWorld } from '../../cloud/test/support/broker-world.ts';
import { isMissing } from '../support/brokers.ts';
import { type IssueOptions, makeTestAuthority } from '../support/certificates.ts';
import { startMtlsBroker } from '../support/mtls-broker.ts';
import { describeBrokerLink, deviceUuid } from './broker-link-suite.ts';

const authority = await makeTestAuthority();
const stranger = await makeTestAuthority('Another CA');
const server = await authority.issue({ commonName: 'localhost', usage: 'server' });
const device = await authority.issue({ commonName: deviceUuid, usage: 'client' });
const connackOf: Partial<Record<LinkErrorCode, number>> = {
  IDENTIFIER_REJECTED: 2,
  BROKER_UNAVAILABLE: 3,
  NOT_AUTHORIZED: 5,
};
const optionsFor = (port: number) => ({
  host: '127.0.0.1',
  port,
  clientId: deviceUuid,
  caCertificates: [authority.certificatePem],
  certificateChain: device.certificatePem,
  privateKeyPem: device.keyPem,
  keepAliveSeconds: 30,
  connectTimeoutMs: 5_000,
});
const startBroker = async (options: { softTls?: boolean; server?: typeof server } = {}) => {
  const broker = await startMtlsBroker({ ca: authority.certificatePem, server, ...options });
  onTestFinished(() => broker[Symbol.asyncDispose]());
  return broker;
};

describeBrokerLink('the fake broker', async () => {
  const broker = createFakeBroker();
  return {
    link: broker.link,
    options: optionsFor(1),
    published: () => broker.published,
    deliver: async (topic, payload) => broker.deliver(topic, payload),
    cut: () => broker.drop(),
    refuse: (code) => broker.refuse(code),
  };
});

describeBrokerLink('mqtt.js against aedes over mutual TLS', async () => {
  const broker = await startBroker();
  return {
    link: createMqttBrokerLink(),
    options: optionsFor(broker.port),
    published: () => broker.published,
    deliver: broker.deliver,
    cut: broker.cut,
    refuse: (code) => broker.refuse(connackOf[code]),
  };
});

describeBrokerLink(
  'mqtt.js against Mosquitto over mutual TLS',
  async () => {
    const world = await brokerWorld({ kind: 'mosquitto' });
    const { keyPem, chainPem } = await world.issue({ deviceUuid });
    const published: { topic: string; payload: Uint8Array }[] = [];
    await world.broker.link.subscribe(['telemetry/#'], (topic, payload) =>
      published.push({ topic, payload }),
    );
    const sockets = new Set<Socket>();
    const relay = createTcpServer((near) => {
      const far = connectTcp(world.broker.port, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from.on('error', () => undefined).on('close', () => to.destroy());
        from.pipe(to);
      }
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    onTestFinished(async () => {
      relay.close();
      await world.close();
    });
    return {
      link: createMqttBrokerLink(),
      options: {
        ...optionsFor((relay.address() as AddressInfo).port),
        caCertificates: [world.ca.caCertificates.root],
        certificateChain: chainPem,
        privateKeyPem: keyPem,
      },
      published: () => published,
      deliver: (topic, payload) => world.broker.link.publish(topic, payload, { qos: 1 }),
      cut: () => {
        for (const socket of sockets) socket.destroy();
      },
    };
  },
  { skip: isMissing('mosquitto'), refuses: false },
);

describe('refusing connections, and saying why', () => {
  const connect = (over: Partial<ConnectOptions> & { port: number }) =>
    createMqttBrokerLink().connect({
      ...optionsFor(over.port),
      will: { topic: `telemetry/${deviceUuid}/connection/status`, payload: Buffer.from('gone') },
      subscribe: [`commands/${deviceUuid}/#`],
      onMessage: () => undefined,
      ...over,
    });
  const clientCertificate = async (options: Partial<IssueOptions>, by = authority) => {
    const { certificatePem, keyPem } = await by.issue({
      commonName: deviceUuid,
      usage: 'client',
      ...options,
    });
    return { certificateChain: certificatePem, privateKeyPem: keyPem };
  };
  const past = { notBefore: new Date(Date.now() - 120_000), notAfter: new Date(Date.now() - 60_000) };
  const future = { notBefore: new Date(Date.now() + 3_600_000), notAfter: new Date(Date.now() + 7_200_000) };

  it('MQT-01 an expired, foreign or server-only certificate: CERTIFICATE_REFUSED', async () => {
    const { port } = await startBroker();
    const bad = [
      await clientCertificate(past),
      await clientCertificate({}, stranger),
      await clientCertificate({ usage: 'server' }),
    ];
    for (const certificate of bad)
      await expect(connect({ port, ...certificate })).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
  });

  it.skipIf(isMissing('mosquitto'))(
    'MQT-01 PKI-01 the same at Mosquitto, and of a revoked one: CERTIFICATE_REFUSED',
    async () => {
      const world = await brokerWorld({ kind: 'mosquitto' });
      onTestFinished(() => world.close());
      const revoked = await world.issue({ deviceUuid });
      await world.setCrls(await world.crls([{ serial: revoked.serial, at: new Date() }]));
      const caCertificates = [world.ca.caCertificates.root];
      for (const certificate of [
        await clientCertificate({}, stranger),
        { certificateChain: revoked.chainPem, privateKeyPem: revoked.keyPem },
      ])
        await expect(
          connect({ port: world.broker.port, caCertificates, ...certificate }),
        ).rejects.toMatchObject({
          code: 'CERTIFICATE_REFUSED',
        });
    },
  );

  it('MQT-01 the same at a broker that explains itself by CONNACK: NOT_AUTHORIZED', async () => {
    const { port } = await startBroker({ softTls: true });
    await expect(connect({ port, ...(await clientCertificate(past)) })).rejects.toMatchObject({
      code: 'NOT_AUTHORIZED',
    });
  });

  it('the client id of another device: IDENTIFIER_REJECTED', async () => {
    const { port } = await startBroker();
    await expect(connect({ port, clientId: 'somebody-else' })).rejects.toMatchObject({
      code: 'IDENTIFIER_REJECTED',
    });
  });

  it("NET-05 a broker whose certificate is not of the trust file's authorities: SERVER_UNTRUSTED", async () => {
    const foreign = await stranger.issue({ commonName: 'localhost', usage: 'server' });
    const { port, published } = await startBroker({ server: foreign });
    await expect(connect({ port })).rejects.toMatchObject({ code: 'SERVER_UNTRUSTED' });
    expect(published).toEqual([]);
  });

  it('NET-05 a broker with a certificate for another name: SERVER_UNTRUSTED', async () => {
    const { port } = await startBroker();
    await expect(connect({ port, host: '127.0.0.2' })).rejects.toMatchObject({
      code: expect.stringMatching(/SERVER_UNTRUSTED|NETWORK/),
    });
  });

  it("FSP-07 a broker whose certificate is not valid yet by this device's clock: CLOCK_BEHIND", async () => {
    const early = await authority.issue({ commonName: 'localhost', usage: 'server', ...future });
    const { port } = await startBroker({ server: early });
    await expect(connect({ port })).rejects.toMatchObject({ code: 'CLOCK_BEHIND' });
  });

  it('nobody listens: NETWORK', async () => {
    const { port } = await startBroker();
    const closedPort = createTcpServer().listen(0, '127.0.0.1');
    await once(closedPort, 'listening');
    const free = (closedPort.address() as AddressInfo).port;
    closedPort.close();
    expect(free).not.toBe(port);
    await expect(connect({ port: free })).rejects.toMatchObject({ code: 'NETWORK' });
  });

  it('something else than TLS answers: it gives up with a reason', async () => {
    const web = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    }).listen(0, '127.0.0.1');
    await once(web, 'listening');
    onTestFinished(() => void web.close());
    const { port } = web.address() as AddressInfo;
    await expect(connect({ port })).rejects.toMatchObject({
      code: expect.stringMatching(/PROTOCOL|NETWORK/),
    });
  });

  it('NET-04 a broker that accepts and never answers: NETWORK after the connect time-out', async () => {
    const silent = createTcpServer((socket) => void socket.on('error', () => undefined)).listen(
      0,
      '127.0.0.1',
    );
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    await expect(connect({ port, connectTimeoutMs: 300 })).rejects.toMatchObject({ code: 'NETWORK' });
  });

  it('NET-04 a broker that lets it in and answers nothing more: NETWORK after the connect time-out', async () => {
    const connack = Buffer.of(0x20, 2, 0, 0);
    const mute = createTlsServer({ key: server.keyPem, cert: server.certificatePem }, (socket) => {
      socket.on('error', () => undefined).once('data', () => socket.write(connack));
    }).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    onTestFinished(() => void mute.close());
    const { port } = mute.address() as AddressInfo;
    await expect(connect({ port, connectTimeoutMs: 500 })).rejects.toMatchObject({ code: 'NETWORK' });
  });

  it('NET-04 a half-open connection: KEEPALIVE, and a good-bye into it ends too', async () => {
    const broker = await startBroker();
    let hung = false;
    const relay = createTcpServer((near) => {
      const far = connectTcp(broker.port, '127.0.0.1');
      near.on('data', (bytes) => hung || far.write(bytes)).on('error', () => undefined);
      far.on('data', (bytes) => hung || near.write(bytes)).on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    onTestFinished(() => void relay.close());
    const { port } = relay.address() as AddressInfo;
    const connection = await connect({ port, keepAliveSeconds: 1 });
    hung = true;
    expect(await connection.closed).toMatchObject({ code: 'KEEPALIVE' });

    hung = false;
    const second = await connect({ port });
    hung = true;
    await second.close();
    expect(await second.closed).toMatchObject({ code: 'CLOSED' });
  });
});
