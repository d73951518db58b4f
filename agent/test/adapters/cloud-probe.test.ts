import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { probeCloud } from '../../src/adapters/cloud-probe.ts';
import { createTestAuthority, type TestAuthority } from '../support/certificates.ts';

const DAY_MS = 86_400_000;
let authority: TestAuthority;
const servers: Server[] = [];
beforeAll(async () => {
  authority = await createTestAuthority();
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(life: { notBefore?: Date; notAfter?: Date } = {}): Promise<number> {
  const server = createServer(await authority.issueServer(life)).listen(0, '127.0.0.1');
  server.on('tlsClientError', () => undefined);
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const probe = (
  api: number,
  broker: number,
  more: { ca?: string; now?: number; synchronised?: boolean } = {},
) =>
  probeCloud({
    apiUrl: `https://127.0.0.1:${api}`,
    broker: { host: '127.0.0.1', port: broker },
    caCertificates: [more.ca ?? authority.certificatePem],
    now: () => more.now ?? Date.now(),
    synchronised: more.synchronised ?? true,
  });
const statesOf = (found: Awaited<ReturnType<typeof probe>>) =>
  Object.fromEntries(Object.entries(found).map(([link, { state }]) => [link, state]));

describe('asking the cloud now', () => {
  it('finds that all of it answers', async () => {
    const port = await serve();
    expect(statesOf(await probe(port, port))).toEqual({ dns: 'ok', clock: 'ok', tls: 'ok', broker: 'ok' });
  });

  it('finds a clock that nobody sets', async () => {
    const port = await serve();
    expect(statesOf(await probe(port, port, { synchronised: false }))).toMatchObject({
      clock: 'broken',
      tls: 'ok',
    });
  });

  it('finds an authority that the device does not trust', async () => {
    const port = await serve();
    const { certificatePem: ca } = await createTestAuthority('Another root');
    expect(statesOf(await probe(port, port, { ca }))).toMatchObject({
      clock: 'ok',
      tls: 'broken',
      broker: 'broken',
    });
  });

  it('blames the clock when certificates are of another time', async () => {
    const tomorrow = {
      notBefore: new Date(Date.now() + DAY_MS),
      notAfter: new Date(Date.now() + 2 * DAY_MS),
    };
    const port = await serve(tomorrow);
    const found = await probe(port, port);
    expect(found.clock).toMatchObject({
      state: 'broken',
      detail: expect.stringContaining('has a certificate from'),
    });
  });

  it('finds a broker that is not there', async () => {
    const api = await serve();
    const gone = await serve();
    servers.pop()!.close();
    const found = await probe(api, gone);
    expect(found).toMatchObject({ tls: { state: 'ok' }, broker: { state: 'broken' } });
    expect(found.broker?.detail).toContain('ECONNREFUSED');
  });
});
