import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/adapters/embedded-postgres.ts';
import { chooseLauncher, findBinaries } from '../../src/adapters/embedded-postgres-launcher.ts';
import {
  end,
  eventually,
  hold,
  kill9,
  prepare,
  processesBelow,
  query,
  startHolder,
} from './embedded-postgres-support.ts';

// Servers start in a tenth of a second, but beside other tests on two cores ten times slower.
vi.setConfig({ testTimeout: 60_000 });

const home = await mkdtemp(join(tmpdir(), 'ares-pg-test-'));
afterAll(async () => {
  expect(processesBelow(home)).toEqual([]);
  await rm(home, { recursive: true });
});

let dataDir = '';
beforeEach(async () => {
  dataDir = join(await mkdtemp(join(home, 'case-')), 'database');
});
const prepared = (folder = dataDir) => prepare(folder, join(home, 'made'));

describe('when it runs', () => {
  let server: EmbeddedPostgres;
  const lines: string[] = [];
  it('starts in a folder of mode 0700, whoever we are', async () => {
    server = await startEmbeddedPostgres({ dataDir: join(home, 'shared'), log: (line) => lines.push(line) });
    expect((await stat(home)).mode & 0o777).toBe(0o700);
    expect(await query(server.connection, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('writes durably', async () => {
    for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums']) {
      expect(await query(server.connection, `select current_setting('${setting}') as it`), setting).toEqual([
        { it: 'on' },
      ]);
    }
  });

  it('API-08 is reached by its owner only: no network, no other role, no wrong password', async () => {
    const { connection } = server;
    expect(await query(connection, 'show listen_addresses')).toEqual([{ listen_addresses: '' }]);
    expect((await stat(connection.host)).mode & 0o077).toBe(0);
    expect((await stat(join(connection.host, '.s.PGSQL.5432'))).mode & 0o077).toBe(0);
    expect((await stat(join(home, 'shared', 'data', 'ares.password'))).mode & 0o777).toBe(0o600);
    await expect(query({ ...connection, password: 'password' }, 'select 1')).rejects.toMatchObject({
      code: '28P01',
    });
    await expect(query({ ...connection, user: 'postgres' }, 'select 1')).rejects.toMatchObject({
      code: '28000',
    });
    await expect(query({ ...connection, user: 'nobody' }, 'select 1')).rejects.toMatchObject({
      code: '28000',
    });
  });

  it('API-08 gives its role no right to run programs or read files of the machine', async () => {
    await expect(query(server.connection, "copy (select 1) to program 'true'")).rejects.toMatchObject({
      code: '42501',
    });
    await expect(query(server.connection, "select pg_read_file('/etc/passwd')")).rejects.toMatchObject({
      code: '42501',
    });
  });

  it('SEC-02 shows its password neither in ps, nor in its environment, nor in the log', async () => {
    process.env.ARES_CANARY = 'canary-7f3a91';
    const other = await startEmbeddedPostgres({ dataDir, log: (line) => lines.push(line), fsync: false });
    delete process.env.ARES_CANARY;
    const shown = ['cmdline', 'environ'].map((file) => readFile(`/proc/${other.pid}/${file}`, 'latin1'));
    const { password } = other.connection;
    // What a server usually logs: the statement that failed, the key that was there already, the session it ended.
    const unique =
      "create temp table t (e text unique); insert into t values ('canary-7f3a91'), ('canary-7f3a91')";
    for (const failing of ["select 'canary-7f3a91' from nowhere", unique]) {
      await expect(query(other.connection, failing)).rejects.toThrow();
    }
    const ended = query(other.connection, "select pg_terminate_backend(pg_backend_pid()), 'canary-7f3a91'");
    await expect(ended).rejects.toMatchObject({ code: '57P01' });
    await other.stop();
    for (const text of [...(await Promise.all(shown)), lines.join('\n')]) {
      expect(text).not.toContain(password);
      expect(text).not.toContain('canary');
    }
  });

  it('is in a session of its own, where Ctrl-C does not reach it', async () => {
    const fields = (await readFile(`/proc/${server.pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
    expect(fields.slice(2, 4).map(Number)).toEqual([server.pid, server.pid]);
  });

  it('makes databases, empty or as copies', async () => {
    const template = await server.createDatabase('template');
    await query(template, 'create table t as select 7 as seven');
    const copy = await server.createDatabase('copy of "it"', { template: 'template' });
    expect(await query(copy, 'select * from t')).toEqual([{ seven: 7 }]);
    const empty = await server.createDatabase('empty');
    await expect(query(empty, 'select * from t')).rejects.toMatchObject({ code: '42P01' });
  });

  it('refuses a second server on the folder, and is not disturbed', async () => {
    const log = () => undefined;
    await expect(startEmbeddedPostgres({ dataDir: join(home, 'shared'), log })).rejects.toMatchObject({
      code: 'IN_USE',
    });
    const refusal = await startHolder(join(home, 'shared')).answer;
    expect(refusal).toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining(`process ${process.pid}`),
    });
    expect(await query(server.connection, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('stops although somebody is connected and busy', async () => {
    const client = new pg.Client(server.connection);
    client.on('error', () => undefined);
    await client.connect();
    // Longer than the test may take: who waits for it is found out.
    const busy = client.query('select pg_sleep(600)').catch((error: { code: string }) => error.code);
    await server.stop();
    expect(await busy).toBe('57P01');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(processesBelow(join(home, 'shared'))).toEqual([]);
  });

  it('starts again with its data and the same connection', async () => {
    const again = await hold(join(home, 'shared'));
    expect(again.connection).toEqual(server.connection);
    expect(await query({ ...again.connection, database: 'template' }, 'select * from t')).toEqual([
      { seven: 7 },
    ]);
    await end(again);
  });
});

describe('when something is killed', () => {
  it('starts again at once, with every committed row, when its owner was killed while writing', async () => {
    await prepared();
    let committed = 0;
    for (let round = 0; round < 3; round += 1) {
      const holder = await hold(dataDir);
      await query(holder.connection, 'create table if not exists t (n int primary key)');
      const client = new pg.Client(holder.connection);
      client.on('error', () => undefined);
      await client.connect();
      const before = committed;
      const writing = (async () => {
        for (;;) {
          await client.query('insert into t values ($1)', [committed + 1]);
          committed += 1;
        }
      })().catch(() => undefined);
      await eventually(() => committed > before + 20);
      await kill9(holder.process);
      // Not waited for: the next start meets the dying server.
      const again = await hold(dataDir);
      await writing;
      const [row] = await query(again.connection, 'select count(*)::int as count, max(n) as max from t');
      // The last insert may have been committed and its answer lost.
      expect([committed, committed + 1]).toContain(row!.count);
      expect(row!.max).toBe(row!.count);
      committed = Number(row!.count);
      await end(again);
    }
    await eventually(() => processesBelow(dataDir).length === 0);
  });

  it('leaves no process when its owner dies, and nobody starts it again', async () => {
    await prepared();
    const holder = await hold(dataDir);
    expect(processesBelow(dataDir)).toContain(holder.pid);
    await kill9(holder.process);
    await eventually(() => processesBelow(dataDir).length === 0);
    expect(await readdir(join(dataDir, 'data'))).not.toContain('postmaster.pid');
  });

  it('tells that the server was killed, and the same owner starts it again on the same connection', async () => {
    await prepared();
    const server = await startEmbeddedPostgres({ dataDir, log: () => undefined });
    await query(server.connection, 'create table t as select 1 as one');
    process.kill(server.pid, 'SIGKILL');
    expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });
    const again = await startEmbeddedPostgres({ dataDir, log: () => undefined });
    expect(again.connection).toEqual(server.connection);
    expect(await query(server.connection, 'select * from t')).toEqual([{ one: 1 }]);
    await again.stop();
  });

  it('finishes by itself what a first start that was killed at any instant left', async () => {
    for (const afterMs of [40, 250, 400, 550]) {
      const folder = join(dataDir, String(afterMs));
      const { process: child } = startHolder(folder);
      const started = performance.now();
      await eventually(() => performance.now() - started > afterMs);
      await kill9(child);
      // Two kills in a row, where not even initdb could clean up.
      await mkdir(join(folder, 'data.new-0123456789ab', 'base'), { recursive: true });
      const again = await hold(folder);
      expect(await query(again.connection, 'select current_user as who')).toEqual([{ who: 'ares' }]);
      await end(again);
      expect((await readdir(folder)).filter((name) => name.startsWith('data'))).toEqual(['data']);
    }
    await eventually(() => processesBelow(dataDir).length === 0);
  });

  it('is not stopped by a pid file whose number another program got', async () => {
    await prepared();
    const holder = await hold(dataDir);
    const pidFile = join(dataDir, 'data', 'postmaster.pid');
    const content = await readFile(pidFile, 'utf8');
    process.kill(holder.pid, 'SIGKILL');
    await kill9(holder.process);
    await eventually(() => processesBelow(dataDir).length === 0);
    await writeFile(pidFile, content.replace(/^\d+/, String(process.pid)));
    await writeFile(
      join(holder.connection.host, '.s.PGSQL.5432.lock'),
      content.replace(/^\d+/, String(process.pid)),
    );
    const again = await hold(dataDir);
    await end(again);
  });

  it('ends a server that outlived its owner, and takes over', async () => {
    await prepared();
    const orphan = await startByHand();
    await writeFile(
      join(dataDir, 'owner.json'),
      JSON.stringify({ pid: 2 ** 22 + 1, startTime: '1', bootId: 'x' }),
    );
    const ended = once(orphan, 'exit');
    const holder = await hold(dataDir);
    expect(await ended).toEqual([0, null]);
    await end(holder);
  });

  it('believes an owner only if it is still the same process', async () => {
    await prepared();
    const recycled = { pid: process.pid, startTime: '1', bootId: 'another' };
    await writeFile(join(dataDir, 'owner.json'), JSON.stringify(recycled));
    await end(await hold(dataDir));
  });
});

describe('refusing', () => {
  it('a folder on which somebody runs a server by hand, and leaves that one alone', async () => {
    await prepared();
    const byHand = await startByHand();
    const refusal = await startHolder(dataDir).answer;
    expect(refusal).toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining(`process ${byHand.pid}`),
    });
    expect(byHand.exitCode).toBeNull();
    const ended = once(byHand, 'exit');
    byHand.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
  });

  it('a folder whose lock is held by somebody who cannot be seen', async () => {
    await prepared();
    const words = ['flock', '--no-fork', join(dataDir, 'lock'), 'cat'];
    const far = spawn(words[0]!, words.slice(1), {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    far.stdin.write('locked\n');
    await once(far.stdout, 'data');
    expect(await startHolder(dataDir).answer).toMatchObject({ code: 'IN_USE' });
    far.stdin.end();
  });

  it('a folder with the files of somebody else, and touches none', async () => {
    await mkdir(join(dataDir, 'data'), { recursive: true });
    await writeFile(join(dataDir, 'data', 'thesis.txt'), 'years of work');
    expect(await startHolder(dataDir).answer).toMatchObject({ code: 'FOREIGN_FOLDER' });
    expect(await readdir(join(dataDir, 'data'))).toEqual(['thesis.txt']);
  });

  it('a database of another version', async () => {
    await prepared();
    await writeFile(join(dataDir, 'data', 'PG_VERSION'), '15\n');
    expect(await startHolder(dataDir).answer).toMatchObject({ code: 'FOREIGN_FOLDER' });
  });

  it('a database that is broken, with the last words of the server in one line', async () => {
    await prepared();
    await rm(join(dataDir, 'data', 'global', 'pg_control'));
    const refusal = await startHolder(dataDir).answer;
    expect(refusal).toMatchObject({ code: 'START_FAILED', message: expect.stringContaining('pg_control') });
    expect('message' in refusal && refusal.message).not.toContain('\n');
  });
});

describe('when the path is unusual', () => {
  it.each(['with space, comma, "quotes", $(id) and ünï', 'p'.repeat(120)])('works in %s', async (name) => {
    const folder = join(dataDir, name);
    const holder = await hold(folder);
    expect(await query(holder.connection, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect((await stat(holder.connection.host)).mode & 0o077).toBe(0);
    await end(holder);
    await expect(stat(holder.connection.host)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('keeps the connection over a crash although its socket lies in a temporary folder', async () => {
    const folder = join(dataDir, 'p'.repeat(120));
    await prepared(folder);
    const holder = await hold(folder);
    await kill9(holder.process);
    const again = await hold(folder);
    expect(again.connection).toEqual(holder.connection);
    await kill9(again.process);
    // Somebody else could have made a folder of this name meanwhile; an open one is not trusted.
    await chmod(holder.connection.host, 0o755);
    const third = await hold(folder);
    expect(third.connection.host).not.toBe(holder.connection.host);
    await end(third);
    await rm(holder.connection.host, { recursive: true });
  });
});

/** A server that no process of ours owns. */
async function startByHand(): Promise<ChildProcess> {
  const binaries = await findBinaries();
  const [program, ...words] = [...chooseLauncher(binaries).prefix, binaries.postgres];
  await mkdir(join(dataDir, 'run'), { recursive: true, mode: 0o700 });
  const socket = `unix_socket_directories=${join(dataDir, 'run')}`;
  const args = ['-D', join(dataDir, 'data'), '-c', 'listen_addresses=', '-c', socket];
  const server = spawn(program!, [...words, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface({ input: server.stderr! });
  for await (const line of lines) if (line.includes('ready to accept connections')) break;
  return server;
}
