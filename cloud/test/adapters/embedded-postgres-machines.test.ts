import { once } from 'node:events';
import { readlinkSync, statSync, writeFileSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { findBinaries } from '../../src/adapters/embedded-postgres-launcher.ts';
import {
  end,
  eventually,
  type Held,
  HOLDER,
  type Holder,
  hold,
  othersCanReach,
  query,
  startHolder,
  works,
} from './embedded-postgres-support.ts';

// Servers start in a tenth of a second, but beside other tests on two cores ten times slower.
vi.setConfig({ testTimeout: 60_000 });

/** What needs root to be shown; on a machine where it cannot be, these say that they were skipped. */
const isRoot = process.getuid?.() === 0;
const canMount = isRoot && works('unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /mnt');
/**
 * Root as in a container of Docker, where user namespaces are closed: a namespace with all users in it (the test
 * writes its maps), whose own limit of further namespaces is none.
 */
const CLOSED = [
  ...['unshare', '--user', 'sh', '-c', 'read go; exec "$@"', 'sh'],
  ...['sh', '-c', 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', 'sh'],
];
const canClose = isRoot && works('unshare', '--user', 'true');

function startClosed(): Holder {
  const holder = startHolder(dataDir, CLOSED);
  const { pid, stdin } = holder.process;
  return {
    ...holder,
    answer: mapAllUsers(pid!)
      .then(() => stdin!.write('go\n'))
      .then(() => holder.answer),
  };
}

async function mapAllUsers(pid: number): Promise<void> {
  const own = readlinkSync('/proc/self/ns/user');
  await eventually(() => readlinkSync(`/proc/${pid}/ns/user`) !== own);
  for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${pid}/${map}`, '0 0 65536');
}

const { postgres } = await findBinaries();
const reachable = othersCanReach(postgres) && othersCanReach(process.execPath) && othersCanReach(HOLDER[2]!);

let dataDir = '';
const folders: string[] = [];
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ares-pg-test-'));
  folders.push(folder);
  dataDir = join(folder, 'database');
});
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

describe('as an ordinary user', () => {
  it.skipIf(!isRoot || !reachable)('needs nothing but its own folder', async () => {
    await chown(join(dataDir, '..'), 65_534, 65_534);
    const holder = await hold(dataDir, ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']);
    expect(await query(holder.connection, 'select current_user as who')).toEqual([{ who: 'ares' }]);
    await end(holder);
  });
});

describe('as root where user namespaces are closed', () => {
  it.skipIf(!canClose || !reachable)(
    'runs as an unprivileged user in a folder that it can reach',
    async () => {
      await chmod(join(dataDir, '..'), 0o711);
      for (const _ of ['first', 'second']) {
        const holder = startClosed();
        const { connection, pid } = (await holder.answer) as Held;
        expect(await query(connection, 'select current_user as who')).toEqual([{ who: 'ares' }]);
        expect(statSync(`/proc/${pid}`).uid).not.toBe(0);
        await end(holder);
      }
    },
  );

  it.skipIf(!canClose)('says what to do when that user cannot reach the folder', async () => {
    const refusal = await startClosed().answer;
    expect(refusal).toMatchObject({
      code: 'NO_UNPRIVILEGED_USER',
      message: expect.stringContaining('ordinary user'),
    });
  });
});

describe('when the disk is full', () => {
  const small = (command: string) => [
    'unshare',
    '--mount',
    'sh',
    '-c',
    `mount -t tmpfs -o size=120m none "$0" && ${command}`,
  ];

  it.skipIf(!canMount)('before the first start: says so and leaves nothing', async () => {
    const folder = join(dataDir, '..', 'small');
    await mkdir(folder);
    dataDir = join(folder, 'database');
    const full = small('head -c 110m /dev/zero > "$0/filler"; "$@"; ls -A "$0/database" > "$0.left"');
    const holder = startHolder(dataDir, [...full, folder]);
    const ended = once(holder.process, 'exit');
    expect(await holder.answer).toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringContaining('Free some space'),
    });
    await ended;
    expect((await readFile(`${folder}.left`, 'utf8')).trim()).toBe('lock');
  });

  it.skipIf(!canMount)('later: says so, and has everything when there is space again', async () => {
    const script = `
      import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
      import { startEmbeddedPostgres } from '${join(import.meta.dirname, '../../src/adapters/embedded-postgres.ts')}';
      import { query } from '${join(import.meta.dirname, 'embedded-postgres-support.ts')}';
      const [folder, dataDir] = process.argv.slice(1);
      const start = () => startEmbeddedPostgres({ dataDir, log: () => undefined });
      const first = await start();
      await query(first.connection, 'create table t as select 7 as seven');
      await first.stop();
      try { for (;;) appendFileSync(folder + '/filler', Buffer.alloc(4096)); } catch {}
      const code = await start().then(() => 'started', (error) => error.code);
      rmSync(folder + '/filler');
      const second = await start();
      console.log(JSON.stringify({ code, rows: await query(second.connection, 'select * from t') }));
      await second.stop();`;
    const words = [...small('shift 3; exec "$@"'), join(dataDir, '..'), 'x', 'x', 'x'];
    const command = [
      process.execPath,
      '--conditions=@ares/source',
      '--input-type=module',
      '-e',
      script,
      join(dataDir, '..'),
    ];
    const answer = (await startHolder(dataDir, [...words, ...command, dataDir]).answer) as unknown;
    expect(answer).toEqual({ code: 'DISK_FULL', rows: [{ seven: 7 }] });
  });
});
