import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { ProblemError } from '@ares/protocol';
import { deviceApiPaths } from '@ares/protocol/http/device';
import { CloudApiError } from '../../src/ports/cloud-api.ts';
import { createFakeDeviceApi, type FakeDeviceApi } from './device-api.ts';
import { serveMqtt } from './tiny-mqtt.ts';

export interface TlsDeviceApi {
  readonly api: FakeDeviceApi;
  readonly url: string;
  /** CN of each device that is connected to the broker now. */
  readonly connected: Set<string>;
  /** Everything that devices have sent, inside TLS: requests with their headers, and MQTT. */
  readonly sent: string[];
  /** Whether the broker says no to everybody. */
  refusing: boolean;
  close(): Promise<void>;
}

/** The fake device API behind real TLS with client certificates, and a broker that lets its devices in. */
export async function startTlsDeviceApi(): Promise<TlsDeviceApi> {
  const server = createServer({ requestCert: true, rejectUnauthorized: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const api = await createFakeDeviceApi({ apiHost: `127.0.0.1:${port}` });
  const { key, cert } = await api.authority.issueServer();
  const ca = api.authority.certificatePem;
  server.setSecureContext({ key, cert, ca });
  const sent: string[] = [];
  server.on('request', (request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      sent.push(`${request.url} ${request.rawHeaders.join(' ')} ${text}`);
      const body = JSON.parse(text === '' ? '{}' : text) as never;
      try {
        const answer = await route(api, request.url ?? '', body, (request.socket as TLSSocket).authorized);
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      } catch (cause) {
        const error = cause as CloudApiError;
        if (error.problem === undefined) return void request.socket.destroy();
        const details = new ProblemError(error.problem, error.message).toDetails();
        response.writeHead(details.status, { 'content-type': 'application/problem+json' });
        response.end(JSON.stringify(details));
      }
    })();
  });

  const connected = new Set<string>();
  const sockets = new Set<TLSSocket>();
  const options = { key, cert, ca, requestCert: true, rejectUnauthorized: true };
  const mqtt = createTlsServer(options, (socket) => {
    sockets.add(socket);
    socket.on('data', (chunk) => sent.push(chunk.toString('latin1')));
    const device = String(socket.getPeerCertificate().subject.CN);
    serveMqtt(socket, {
      accepts: () => !cloud.refusing,
      connected: () => connected.add(device),
      gone: () => {
        sockets.delete(socket);
        connected.delete(device);
      },
    });
  });
  mqtt.listen(0, '127.0.0.1');
  await once(mqtt, 'listening');
  api.mqttPort = (mqtt.address() as AddressInfo).port;
  const cloud: TlsDeviceApi = {
    api,
    refusing: false,
    url: `https://127.0.0.1:${port}`,
    connected,
    sent,
    async close() {
      server.closeAllConnections();
      server.close();
      for (const socket of sockets) socket.destroy();
      mqtt.close();
    },
  };
  return cloud;
}

async function route(cloud: FakeDeviceApi, path: string, body: never, authorized: boolean): Promise<unknown> {
  const api = cloud.connect();
  const { signal } = new AbortController();
  switch (path) {
    case deviceApiPaths.challenges:
      return {
        nonce: await api.challenge('', signal),
        expiresAt: new Date(Date.now() + 600_000).toISOString(),
      };
    case deviceApiPaths.credentials:
      return api.credentials(body, signal);
    case deviceApiPaths.standing:
      return { standing: await api.standing(body, signal) };
    case deviceApiPaths.time:
      return { time: await api.time((body as { nonce: string }).nonce, signal) };
    case deviceApiPaths.resetReceipt:
      await api.resetReceipt(body, signal);
      return {};
    default:
      if (!authorized)
        throw new CloudApiError('REFUSED', 'no certificate', { problem: 'CERTIFICATE_REQUIRED' });
      return api.components('', signal);
  }
}
