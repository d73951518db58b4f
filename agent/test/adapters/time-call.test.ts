import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createUndiciCloudApi } from '../../src/adapters/undici-cloud-api.ts';
import type { CloudApi } from '../../src/ports/cloud-api.ts';
import { createTestAuthority, type TestAuthority } from '../support/certificates.ts';

const DAY = 86_400_000;
const signal = new AbortController().signal;
const nonce = 'n'.repeat(22);
const inDays = (days: number) => new Date(Date.now() + days * DAY);
let authority: TestAuthority;
let server: Server | undefined;
let api: CloudApi | undefined;
let asked = 0;

beforeAll(async () => {
  authority = await createTestAuthority();
});
afterEach(async () => {
  await api?.close();
  server?.closeAllConnections();
  server?.close();
});

async function serve(
  identity: { key: string; cert: string },
  options: { ca?: string; host?: string } = {},
): Promise<CloudApi> {
  asked = 0;
  server = createServer(identity, (_request, response) => {
    asked++;
    response.end(JSON.stringify({ time: 'signed' }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  api = createUndiciCloudApi({
    apiUrl: `https://${options.host ?? '127.0.0.1'}:${port}`,
    caCertificates: [options.ca ?? authority.certificatePem],
  });
  return api;
}

describe('FSP-07 asking for the time', () => {
  it.each([
    ['today', -1, 1],
    ['not before tomorrow', 1, 2],
    ['until yesterday', -2, -1],
  ])("works with a cloud whose certificate is good %s, by this device's clock", async (_, from, to) => {
    const identity = await authority.issueServer({ notBefore: inDays(from), notAfter: inDays(to) });
    const client = await serve(identity);
    expect(await client.time(nonce, signal)).toBe('signed');
  });

  it('looks at the dates in every other call', async () => {
    const identity = await authority.issueServer({ notBefore: inDays(1), notAfter: inDays(2) });
    const client = await serve(identity);
    await client.time(nonce, signal);
    await expect(client.challenge('', signal)).rejects.toMatchObject({ code: 'CLOCK' });
  });

  it.each([
    ['another authority', async () => ({ ca: (await createTestAuthority()).certificatePem })],
    ['another host', async () => ({ host: 'localhost' })],
  ])('NET-05 refuses a certificate of %s before a byte is sent, whatever its dates', async (_, wrong) => {
    for (const from of [-1, 1]) {
      const identity = await authority.issueServer({ notBefore: inDays(from), notAfter: inDays(2) });
      const client = await serve(identity, await wrong());
      await expect(client.time(nonce, signal)).rejects.toMatchObject({ code: 'TLS' });
      expect(asked).toBe(0);
      server?.close();
      await api?.close();
    }
  });

  it('NET-05 refuses the certificate of a device, which comes from the same authority', async () => {
    const identity = await authority.issueServer({ purpose: 'client' });
    const client = await serve(identity);
    await expect(client.time(nonce, signal)).rejects.toMatchObject({ code: 'TLS' });
    expect(asked).toBe(0);
  });

  it('NET-05 refuses a chain through a certificate that is no authority', async () => {
    const client = await serve(await authority.issueServer({ through: 'a leaf' }));
    await expect(client.time(nonce, signal)).rejects.toMatchObject({ code: 'TLS' });
    expect(asked).toBe(0);
  });

  it('takes a chain through an intermediate authority', async () => {
    const client = await serve(await authority.issueServer({ through: 'an authority' }));
    expect(await client.time(nonce, signal)).toBe('signed');
  });
});
