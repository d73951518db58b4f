import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeDurably } from '../../src/adapters/durable-file.ts';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../src/adapters/local-certificate-authority.ts';
import { clearServerFiles, makeServerFiles } from '../../src/pki/server-files.ts';
import type { CertificateAuthority } from '../../src/ports/certificate-authority.ts';
import { fakeClock } from '../support/quiet.ts';

const clock = fakeClock();
let authority: CertificateAuthority;
let out: string;

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ares-server-files-'));
  const secrets = await openFileSecretStore({ dir: join(dir, 'secrets') });
  authority = await openLocalCertificateAuthority({ secrets, clock, config: { dir: join(dir, 'ca') } });
  out = join(dir, 'tls');
});

const hosts = ['postgres', 'localhost', '127.0.0.1'];
const make = (names = hosts, now = clock.now()) =>
  makeServerFiles({ authority, clock: { now: () => now }, write: writeDurably }, out, [
    { name: 'postgres', hosts: names },
  ]);
const read = (name: string) => readFile(join(out, 'postgres', name), 'utf8');

describe('the files of a server beside the cloud', () => {
  it('present a whole chain that a client with ca.pem trusts, by every name', async () => {
    await make();
    const server = createServer({ key: await read('server.key'), cert: await read('server.pem') }, (socket) =>
      socket.end(),
    );
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as { port: number };
    for (const servername of ['postgres', 'localhost']) {
      const ca = await read('ca.pem');
      const socket = connect({ port, host: '127.0.0.1', servername, ca });
      await new Promise<void>((secure, fail) => socket.once('secureConnect', secure).once('error', fail));
      expect(socket.authorized).toBe(true);
      socket.destroy();
    }
    server.close();
  });

  it('keep their key to their owner', async () => {
    await make();
    expect((await stat(join(out, 'postgres', 'server.key'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(out, 'postgres', 'server.pem'))).mode & 0o777).toBe(0o644);
  });

  it('are kept as long as they are good, and made anew otherwise', async () => {
    await clearServerFiles(out, ['postgres']);
    const what = async (...given: Parameters<typeof make>) => (await make(...given))[0]!.what;
    expect(await what()).toBe('made');
    const { serialNumber } = new X509Certificate(await read('server.pem'));
    expect(await what()).toBe('kept');
    expect(new X509Certificate(await read('server.pem')).serialNumber).toBe(serialNumber);
    expect(await what([...hosts, 'db.example.org'])).toBe('made');
    expect(await what([...hosts, 'db.example.org'], clock.now() + 340 * 86_400_000)).toBe('made');
    await writeFile(join(out, 'postgres', 'server.key'), 'damaged');
    expect(await what([...hosts, 'db.example.org'])).toBe('made');
  });
});
