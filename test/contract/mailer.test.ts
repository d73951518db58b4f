import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openOutboxMailer } from '../../cloud/src/adapters/outbox-mailer.ts';
import { createSmtpMailer, type SmtpConfig } from '../../cloud/src/adapters/smtp-mailer.ts';
import { parseSmtpUrl } from '../../cloud/src/mail/smtp-url.ts';
import { type SmtpWorld, startSmtpServer } from '../../cloud/test/support/smtp-world.ts';
import { makeTestAuthority, type TestAuthority } from '../support/certificates.ts';
import { describeMailer, FROM } from './mailer-suite.ts';

const letter = { id: 'one', to: 'ada@example.org', subject: 'Hello', text: 'Hello.\n' };
const open: { close(): Promise<void> }[] = [];
const opened = <T extends { close(): Promise<void> }>(part: T): T => {
  open.push(part);
  return part;
};
afterEach(async () => {
  for (const part of open.splice(0).reverse()) await part.close();
});

let authority: TestAuthority;
let tls: { key: string; cert: string };
beforeAll(async () => {
  authority = await makeTestAuthority();
  const { keyPem, certificatePem } = await authority.issue({ commonName: 'localhost', usage: 'server' });
  tls = { key: keyPem, cert: certificatePem };
});
afterAll(() => undefined);

async function outbox() {
  const dir = join(await mkdtemp(join(tmpdir(), 'ares-mail-')), 'outbox');
  const mailer = opened(await openOutboxMailer({ dir, from: FROM }));
  return {
    dir,
    mailer,
    received: async () =>
      Promise.all((await readdir(dir)).toSorted().map((name) => readFile(join(dir, name), 'utf8'))),
  };
}

function smtp(server: SmtpWorld, rest: Partial<SmtpConfig> = {}) {
  const config = {
    host: 'localhost',
    port: server.port,
    tls: 'starttls',
    ca: authority.certificatePem,
  } as const;
  return opened(createSmtpMailer({ server: { ...config, ...rest }, from: FROM, silenceMs: 2_000 }));
}

describeMailer('the outbox folder', outbox);
describeMailer('SMTP', async () => {
  const server = opened(await startSmtpServer(tls));
  return { mailer: smtp(server), received: async () => server.mails.map(({ raw }) => raw) };
});

describe('the outbox folder', () => {
  it('can be read by its owner only, and holds a mail that is sent twice once', async () => {
    const { dir, mailer } = await outbox();
    await mailer.send(letter);
    await mailer.send(letter);
    const names = await readdir(dir);
    expect(names).toEqual(['one.eml']);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    expect((await stat(join(dir, 'one.eml'))).mode & 0o777).toBe(0o600);
  });

  it('puts no mail outside, whatever its id', async () => {
    const { dir, mailer } = await outbox();
    await mailer.send({ ...letter, id: '../../escape' });
    expect(await readdir(dir)).toEqual(['______escape.eml']);
  });

  it('says so when it cannot be written', async () => {
    const dir = join(await mkdtemp(join(tmpdir(), 'ares-mail-')), 'file');
    const { mailer } = { mailer: await openOutboxMailer({ dir, from: FROM }) };
    const { rm } = await import('node:fs/promises');
    await rm(dir, { recursive: true });
    await writeFile(dir, '');
    await expect(mailer.send(letter)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('SMTP', () => {
  it('sends from and to the very addresses of the mail, encrypted', async () => {
    const server = opened(await startSmtpServer(tls));
    await smtp(server).send(letter);
    expect(server.mails[0]).toMatchObject({ from: 'ares@example.org', to: ['ada@example.org'] });
    expect(server.encrypted()).toBe(true);
  });

  it('can use TLS from the first byte', async () => {
    const server = opened(await startSmtpServer({ ...tls, secure: true }));
    await smtp(server, { tls: 'implicit' }).send(letter);
    expect(server.mails).toHaveLength(1);
  });

  it('sends nothing to a server that offers no TLS', async () => {
    const server = opened(await startSmtpServer({ disabledCommands: ['STARTTLS', 'AUTH'] }));
    await expect(smtp(server).send(letter)).rejects.toMatchObject({ code: 'MISCONFIGURED' });
    expect(server.mails).toEqual([]);
  });

  it('sends nothing to a server whose certificate it does not trust, or is for another name', async () => {
    const server = opened(await startSmtpServer(tls));
    const stranger = (await makeTestAuthority('Another')).certificatePem;
    await expect(smtp(server, { ca: stranger }).send(letter)).rejects.toMatchObject({
      code: 'MISCONFIGURED',
    });
    const { keyPem, certificatePem } = await authority.issue({ commonName: 'elsewhere', usage: 'server' });
    const other = opened(await startSmtpServer({ key: keyPem, cert: certificatePem }));
    await expect(smtp(other).send(letter)).rejects.toMatchObject({ code: 'MISCONFIGURED' });
    expect([...server.mails, ...other.mails]).toEqual([]);
  });

  it('signs in, after the connection is encrypted', async () => {
    const seen: unknown[] = [];
    const server = opened(
      await startSmtpServer({
        ...tls,
        authOptional: false,
        onAuth({ username, password }, session, done) {
          seen.push([username, password, session.secure]);
          if (password === 'pass word/ü') done(null, { user: username });
          else done(new Error('no'));
        },
      }),
    );
    await smtp(server, { user: 'ares', password: 'pass word/ü' }).send(letter);
    expect(seen).toEqual([['ares', 'pass word/ü', true]]);
    const refused = smtp(server, { user: 'ares', password: 'canary' }).send(letter);
    await expect(refused).rejects.toMatchObject({ code: 'MISCONFIGURED' });
    await expect(refused).rejects.not.toThrow(/canary/);
  });

  it.each([
    [451, 'UNAVAILABLE'],
    [550, 'REFUSED'],
  ])('tells a %d apart: %s', async (responseCode, code) => {
    const server = opened(
      await startSmtpServer({
        ...tls,
        onRcptTo: (_address, _session, done) => done(Object.assign(new Error('no'), { responseCode })),
      }),
    );
    await expect(smtp(server).send(letter)).rejects.toMatchObject({ code });
  });

  it('gives up a server that is away, and one that says nothing', async () => {
    const gone = await startSmtpServer(tls);
    await gone.close();
    await expect(smtp(gone).send(letter)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const silent = createServer().listen(0, '127.0.0.1');
    await new Promise((ready) => silent.once('listening', ready));
    const { port } = silent.address() as { port: number };
    const began = performance.now();
    await expect(smtp({ port } as SmtpWorld).send(letter)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(performance.now() - began).toBeLessThan(10_000);
    await new Promise((done) => silent.close(done));
  });
});

describe('ARES_SMTP_URL', () => {
  it.each([
    ['smtps://mail.example.org', { host: 'mail.example.org', port: 465, tls: 'implicit' }],
    ['smtp://mail.example.org', { host: 'mail.example.org', port: 587, tls: 'starttls' }],
    [
      'smtp://ares%40example.org:p%40ss@mail.example.org:2525?ca=/etc/ca.pem',
      {
        host: 'mail.example.org',
        port: 2525,
        tls: 'starttls',
        user: 'ares@example.org',
        password: 'p@ss',
        caFile: '/etc/ca.pem',
      },
    ],
    ['smtp://127.0.0.1:25?tls=off', { host: '127.0.0.1', port: 25, tls: 'none' }],
  ])('%s', (text, expected) => expect(parseSmtpUrl(text)).toEqual(expected));

  it.each([
    ['http://mail.example.org', 'must begin with smtp:// or smtps://'],
    ['smtp://mail.example.org?tls=off', 'only to a server on this machine'],
    ['smtps://127.0.0.1?tls=off', 'only to a server on this machine'],
    ['smtp://mail.example.org?tls=maybe', 'has tls=maybe'],
    ['smtp://mail.example.org?verify=no', 'has verify, which Ares does not know'],
  ])('refuses %s', (text, message) => expect(() => parseSmtpUrl(text)).toThrow(message));
});
