import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openPgDatabase } from '../../src/adapters/pg-database.ts';
import { connectionOf } from '../../src/compose-foundation.ts';
import { parseDatabaseUrl } from '../../src/database/database-url.ts';
import { silentLogger } from '../support/quiet.ts';

describe('a database URL', () => {
  it('is read with what is escaped in it, and the socket that it names', () => {
    expect(parseDatabaseUrl('postgres://a%40b:p%3Aw@localhost:5433/ares?host=/run/pg')).toEqual({
      host: '/run/pg',
      port: 5433,
      user: 'a@b',
      password: 'p:w',
      database: 'ares',
    });
    expect(parseDatabaseUrl('postgresql://u@127.0.0.1/ares')).toMatchObject({ port: 5432, password: '' });
  });

  it('of another machine says whether it is reached by TLS', () => {
    const remote = 'postgres://u:p@db.example.org/ares';
    expect(() => parseDatabaseUrl(remote)).toThrow(/names another machine.*sslmode=verify-full/);
    expect(parseDatabaseUrl(`${remote}?sslmode=disable`)).not.toHaveProperty('tls');
    expect(parseDatabaseUrl(`${remote}?sslmode=verify-full`)).toMatchObject({ tls: {} });
    const own = `${remote}?sslmode=verify-full&sslrootcert=/etc/root.pem`;
    expect(parseDatabaseUrl(own)).toMatchObject({ tls: { rootFile: '/etc/root.pem' } });
  });

  it.each([
    ['no URL', 'ares', /must begin with postgres:/],
    ['another protocol', 'mysql://u:p@localhost/ares', /must begin with postgres:/],
    ['a weaker TLS', 'postgres://u:p@db/ares?sslmode=require', /sslmode=require: use verify-full/],
    ['what would be ignored', 'postgres://u:p@localhost/ares?sslcert=x', /sslcert, which Ares does not know/],
  ])('is refused with %s', (_, text, words) => {
    expect(() => parseDatabaseUrl(text)).toThrow(words);
  });

  it('that asks for TLS never speaks to a server without it', async () => {
    const heard: Buffer[] = [];
    const server = createServer((socket) =>
      socket.on('data', (data) => {
        heard.push(data);
        socket.write('N');
      }),
    ).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const connection = await connectionOf(`postgres://u:p@127.0.0.1:${port}/ares?sslmode=verify-full`);
    const database = openPgDatabase({ connection, log: silentLogger });
    expect(await database.healthy()).toBe(false);
    await database.close();
    // SSLRequest (PostgreSQL 55.2.10) and not a byte of a start-up message.
    expect(Buffer.concat(heard).toString('hex')).toBe('0000000804d2162f');
  });

  it('with a root certificate that is not there says so', async () => {
    const missing = connectionOf('postgres://u:p@db/ares?sslmode=verify-full&sslrootcert=/no/root.pem');
    await expect(missing).rejects.toThrow(/sslrootcert of DATABASE_URL cannot be read.*no such file/);
  });
});
