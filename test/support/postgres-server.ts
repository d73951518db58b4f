import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../cloud/src/adapters/embedded-postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The socket that answers each caller with a connection to the run's PostgreSQL. */
    postgresDoor: string;
  }
}

/** One per vitest process, however many projects ask for it. */
type Shared = { door: string; users: number; close: () => Promise<void> };
const holder = globalThis as { aresTestPostgres?: Promise<Shared> };

/**
 * Vitest's global setup: opens a door in the main process, behind which one PostgreSQL is started when the first
 * test knocks. It lives in the main process because a test file's worker, and with it what it started, ends early.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  holder.aresTestPostgres ??= openDoor();
  const shared = await holder.aresTestPostgres;
  shared.users += 1;
  project.provide('postgresDoor', shared.door);
  return async () => {
    shared.users -= 1;
    if (shared.users > 0) return;
    delete holder.aresTestPostgres;
    await shared.close();
  };
}

async function openDoor(): Promise<Shared> {
  const folder = await mkdtemp(join(tmpdir(), 'ares-test-pg-'));
  let started: Promise<EmbeddedPostgres> | undefined;
  const last: string[] = [];
  const server = createServer((caller) => {
    caller.on('error', () => undefined);
    started ??= startEmbeddedPostgres({
      dataDir: join(folder, 'database'),
      fsync: false,
      log: (line) => last.push(line),
    });
    started.then(
      ({ connection }) => caller.end(JSON.stringify({ connection })),
      (error: Error) =>
        caller.end(JSON.stringify({ error: `${error.message}\n${last.slice(-20).join('\n')}` })),
    );
  });
  const door = join(folder, 'door');
  await new Promise<void>((open) => server.listen(door, open));
  return {
    door,
    users: 0,
    async close() {
      server.close();
      await (await started?.catch(() => undefined))?.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
