import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createUndiciCloudApi } from '../../src/adapters/undici-cloud-api.ts';
import type { CloudApi } from '../../src/ports/cloud-api.ts';
import { createTestAuthority, type TestAuthority } from '../support/certificates.ts';

const uuid = '0f7a1f0e-9c1d-4b7e-8a55-1c2d3e4f5a6b';
const HOUR = 3_600_000;
const signal = new AbortController().signal;
let authority: TestAuthority;
let server: Server | undefined;
let api: CloudApi | undefined;

beforeAll(async () => {
  authority = await createTestAuthority();
});
afterEach(async () => {
  await api?.close();
  server?.closeAllConnections();
  server?.close();
});

/** A server that misbehaves as told, and a client of it. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  options: { certificate?: Parameters<TestAuthority['issueServer']>[0]; ca?: string; host?: string } = {},
): Promise<CloudApi> {
  server = createServer(await authority.issueServer(options.certificate), answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  api = createUndiciCloudApi({
    apiUrl: `https://${options.host ?? '127.0.0.1'}:${port}`,
    caCertificates: [options.ca ?? authority.certificatePem],
  });
  return api;
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
const nonce = { nonce: 'n'.repeat(43), expiresAt: new Date().toISOString() };

describe('whom the device believes', () => {
  it('asks a server of the trust file', async () => {
    const client = await serve(json(201, nonce));
    await client.reach(signal);
    expect(await client.challenge(uuid, signal)).toBe(nonce.nonce);
    expect(client.apiHost).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('NET-05 refuses a server of any other authority', async () => {
    const other = await createTestAuthority('Public root');
    const client = await serve(json(201, nonce), { ca: other.certificatePem });
    await expect(client.challenge(uuid, signal)).rejects.toMatchObject({ code: 'TLS' });
    await expect(client.reach(signal)).rejects.toMatchObject({ code: 'TLS' });
  });

  it('NET-05 refuses a certificate for another host', async () => {
    const client = await serve(json(201, nonce), { certificate: { host: 'cloud.example' } });
    await expect(client.challenge(uuid, signal)).rejects.toMatchObject({ code: 'TLS' });
    await expect(client.reach(signal)).rejects.toMatchObject({ code: 'TLS' });
  });

  it('FSP-07 takes a certificate that is not valid yet for a slow clock, nothing else', async () => {
    const certificate = { notBefore: new Date(Date.now() + HOUR), notAfter: new Date(Date.now() + 2 * HOUR) };
    const client = await serve(json(201, nonce), { certificate });
    await expect(client.challenge(uuid, signal)).rejects.toMatchObject({ code: 'CLOCK' });
    await expect(client.reach(signal)).rejects.toMatchObject({ code: 'CLOCK' });
  });

  it('refuses a certificate that has ended', async () => {
    const certificate = { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) };
    const client = await serve(json(201, nonce), { certificate });
    await expect(client.challenge(uuid, signal)).rejects.toMatchObject({ code: 'TLS' });
  });
});

describe('a network that does not work', () => {
  it('tells names from connections', async () => {
    const nowhere = createUndiciCloudApi({
      apiUrl: 'https://nowhere.invalid',
      caCertificates: [authority.certificatePem],
    });
    await expect(nowhere.reach(signal)).rejects.toMatchObject({ code: 'DNS' });
    expect(nowhere.apiHost).toBe('nowhere.invalid:443');
    await nowhere.close();
    const client = await serve(json(201, nonce));
    server?.close();
    await expect(client.challenge(uuid, signal)).rejects.toMatchObject({ code: 'CONNECT' });
  });

  it('gives up a call when it is told to', async () => {
    const client = await serve(() => undefined);
    const abort = new AbortController();
    const asked = client.challenge(uuid, abort.signal);
    setImmediate(() => abort.abort());
    await expect(asked).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('answers that are none', () => {
  it('API-10 bounds their size', async () => {
    const client = await serve((_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const more = () => {
        while (!response.destroyed && response.write(chunk)) {}
      };
      response.on('drain', more);
      more();
    });
    await expect(client.challenge(uuid, signal)).rejects.toMatchObject({ code: 'ANSWER_TOO_LARGE' });
  });

  it.each([
    ['no JSON', '<html>log in to the hotel</html>'],
    ['another document', '{"ok":true}'],
    ['a member too many', JSON.stringify({ ...nonce, more: 1 })],
  ])('NET-04 refuses %s', async (_name, text) => {
    const client = await serve((_request, response) => response.writeHead(200).end(text));
    await expect(client.challenge(uuid, signal)).rejects.toMatchObject({ code: 'ANSWER_INVALID' });
  });

  it('NET-04 follows no redirection', async () => {
    const client = await serve((_request, response) =>
      response.writeHead(302, { location: 'https://evil.example/' }).end(),
    );
    await expect(client.challenge(uuid, signal)).rejects.toMatchObject({
      code: 'REFUSED',
      problem: undefined,
    });
  });

  it('names the problem and when to come back', async () => {
    const client = await serve(json(410, { code: 'CLAIM_EXPIRED', detail: 'too late' }));
    await expect(client.challenge(uuid, signal)).rejects.toMatchObject({
      code: 'REFUSED',
      problem: 'CLAIM_EXPIRED',
    });
    await client.close();
    server?.close();
    const busy = await serve(json(503, { code: 'UNAVAILABLE', detail: 'later' }, { 'retry-after': '7' }));
    await expect(busy.challenge(uuid, signal)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retryAfterSeconds: 7,
    });
  });
});
