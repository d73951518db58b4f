import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { Agent, type Agent as HttpsAgent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { contract, type Route, type RouteId } from '@ares/protocol/http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeCsr } from '../../../test/support/certificate-requests.ts';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../src/adapters/local-certificate-authority.ts';
import { memoryRateLimiters } from '../../src/adapters/memory-rate-limiters.ts';
import { createHttpApp, routesOf } from '../../src/http/app.ts';
import type { Handlers, RequestContext } from '../../src/http/handlers.ts';
import { type DeviceListener, listenDevices } from '../../src/http/listener.ts';
import { createPolicies } from '../../src/http/policies.ts';
import { createRateLimits, defaultLimits } from '../../src/http/rate-limits.ts';
import type { CertificateAuthority } from '../../src/ports/certificate-authority.ts';
import { silentLogger } from '../support/quiet.ts';

type Identity = { readonly key: string; readonly cert: string };

const clock = { now: () => Date.now() };
const deviceUuid = randomUUID();
let ca: CertificateAuthority;
let listener: DeviceListener;
/** Serials that the table accepts now. */
let accepted: Set<string>;
let reached: { id: string; context: RequestContext }[];

async function authority() {
  const folder = await mkdtemp(join(tmpdir(), 'ares-listener-'));
  const secrets = await openFileSecretStore({ dir: join(folder, 'secrets') });
  return openLocalCertificateAuthority({ secrets, clock, config: { dir: join(folder, 'ca') } });
}

async function issue(by: CertificateAuthority, commonName: string): Promise<Identity & { serial: string }> {
  const { der, keyPem } = await makeCsr();
  const issued = await by.signDevice({ csr: der, commonName, validityMs: 60_000 });
  return { key: keyPem, cert: issued.chainPem, serial: issued.serial };
}

beforeAll(async () => {
  ca = await authority();
  const server = await ca.signServer({ names: ['localhost', '127.0.0.1'] });
  const handlers = Object.fromEntries(
    (Object.values(contract) as Route[]).map(({ id }) => [
      id,
      async (context: RequestContext) => {
        reached.push({ id, context });
        return { status: 200, body: {} };
      },
    ]),
  ) as unknown as Handlers;
  const closing = new AbortController();
  const hosts = new Set<string>();
  const app = createHttpApp({
    listener: 'device',
    handlers,
    policies: createPolicies({
      callerOf: async () => undefined,
      accessOf: async () => undefined,
      historyAccessOf: async () => undefined,
      deviceOf: async ({ serial, commonName }) =>
        accepted.has(serial) ? { deviceId: 7, deviceUuid: commonName, certificateSerial: serial } : undefined,
    }),
    limits: createRateLimits(defaultLimits, memoryRateLimiters),
    log: silentLogger,
    clock,
    closing: closing.signal,
    apiHosts: hosts,
  });
  listener = await listenDevices(
    app,
    { host: '127.0.0.1', port: 0 },
    { key: server.keyPem, chain: server.chainPem, root: ca.caCertificates.root },
    closing,
  );
  hosts.add(`127.0.0.1:${listener.port}`);
});
beforeEach(() => {
  accepted = new Set();
  reached = [];
});
afterAll(() => listener.close());

async function call(
  path: string,
  options: { identity?: Identity; agent?: HttpsAgent; host?: string; method?: string; body?: unknown } = {},
) {
  const sent = request({
    host: '127.0.0.1',
    port: listener.port,
    servername: 'localhost',
    path,
    method: options.method ?? 'GET',
    ca: ca.caCertificates.root,
    agent: options.agent ?? new Agent({ maxCachedSessions: 0 }),
    headers: {
      ...(options.host !== undefined && { host: options.host }),
      ...(options.body !== undefined && { 'content-type': 'application/json' }),
    },
    ...options.identity,
  });
  sent.end(options.body === undefined ? undefined : JSON.stringify(options.body));
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  const body = JSON.parse(await text(response)) as { code?: string };
  return { status: response.statusCode, code: body.code };
}

const components = `/api/components/devices/${deviceUuid}/components`;
const refusal = { status: 401, code: 'CERTIFICATE_REQUIRED' };

describe('a device with a certificate', () => {
  it('is let in by common name and serial number', async () => {
    const identity = await issue(ca, deviceUuid);
    accepted.add(identity.serial);
    expect(await call(components, { identity })).toMatchObject({ status: 200 });
    expect(reached).toMatchObject([
      { id: 'deviceComponents', context: { device: { deviceUuid, certificateSerial: identity.serial } } },
    ]);
  });

  it('PKI-01 is looked up at each request of a connection that stays open', async () => {
    const identity = await issue(ca, deviceUuid);
    accepted.add(identity.serial);
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ...identity });
    expect(await call(components, { agent })).toMatchObject({ status: 200 });
    accepted.delete(identity.serial);
    expect(await call(components, { agent })).toEqual(refusal);
    agent.destroy();
  });

  it('PKI-01 cannot resume a TLS session, with TLS 1.3 and 1.2', async () => {
    const identity = await issue(ca, deviceUuid);
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      const open = (session?: Buffer) =>
        connect({
          host: '127.0.0.1',
          port: listener.port,
          ca: ca.caCertificates.root,
          maxVersion,
          ...identity,
          ...(session && { session }),
        });
      const sessionOf = async (socket: TLSSocket) => {
        let latest: Buffer | undefined;
        socket.on('session', (session: Buffer) => {
          latest = session;
        });
        await once(socket, 'secureConnect');
        const reused = socket.isSessionReused();
        socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
        await text(socket);
        return { session: latest ?? socket.getSession(), reused };
      };
      const first = await sessionOf(open());
      const second = await sessionOf(open(first.session));
      expect(second.reused, maxVersion).toBe(false);
    }
  });

  it('sees only its own components', async () => {
    const identity = await issue(ca, randomUUID());
    accepted.add(identity.serial);
    expect(await call(components, { identity })).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });
});

describe('refusing devices', () => {
  it('without a certificate, on each route that needs one', async () => {
    for (const route of routesOf('device').filter(({ policy }) => policy === 'device')) {
      expect(await call(route.path.replace('{id}', deviceUuid), { method: route.method })).toEqual(refusal);
    }
  });

  it('whose serial number the table does not accept', async () => {
    expect(await call(components, { identity: await issue(ca, deviceUuid) })).toEqual(refusal);
  });

  it('whose certificate comes from another authority, also under our names', async () => {
    const foreign = await issue(await authority(), deviceUuid);
    accepted.add(foreign.serial);
    expect(await call(components, { identity: foreign })).toEqual(refusal);
  });

  it('that are services of the cloud: their certificate is not one of a device', async () => {
    const { keyPem, chainPem, serial } = await ca.signService({ commonName: 'ares-ingest' });
    accepted.add(serial);
    expect(await call(components, { identity: { key: keyPem, cert: chainPem } })).toEqual(refusal);
  });

  it('over TLS older than 1.2', async () => {
    const socket = connect({
      host: '127.0.0.1',
      port: listener.port,
      ca: ca.caCertificates.root,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await expect(once(socket, 'secureConnect')).rejects.toThrow();
  });

  it('that believe to talk to another host: what they sign must not be good for us', async () => {
    for (const host of ['evil.example', 'evil.example:443', '127.0.0.1', `localhost:${listener.port}`]) {
      expect(await call('/healthz', { host }), host).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    }
  });
});

describe('a certificate beside a signature in the body', () => {
  it('reaches the service when it counts, and is left out when it does not', async () => {
    const identity = await issue(ca, deviceUuid);
    const body = { deviceUuid, nonce: 'AAAA', signature: 'AAAA' };
    const ask = () => call('/api/devices/standing', { method: 'POST', body, identity });
    await ask();
    accepted.add(identity.serial);
    await ask();
    expect(reached.map(({ context }) => (context as unknown as { device?: object }).device)).toEqual([
      undefined,
      { deviceId: 7, deviceUuid, certificateSerial: identity.serial },
    ]);
    expect(reached[0]?.context.apiHost).toBe(`127.0.0.1:${listener.port}`);
  });
});

it('has no route for people', async () => {
  const listeners = new Map(routesOf('device').map(({ id }) => [id as RouteId, true]));
  for (const route of routesOf('public').filter(({ id }) => !listeners.has(id as RouteId))) {
    const path = route.path.replace('{id}', deviceUuid).replace('{componentId}', '1');
    const { status, code } = await call(path, { method: route.method });
    // The path of the owner's list is the device's own, and there the certificate decides.
    expect(['NOT_FOUND', 'METHOD_NOT_ALLOWED', 'CERTIFICATE_REQUIRED'], `${route.id} ${status}`).toContain(
      code,
    );
  }
  expect(reached).toEqual([]);
});
