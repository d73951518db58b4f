import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProblemError } from '@ares/protocol';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';
import { createIdempotency, type Idempotency, removeOldAnswers } from '../../src/idempotency/service.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { useCloudDatabase } from '../support/database.ts';
import { type FakeClock, fakeClock } from '../support/quiet.ts';

let database: CloudDatabase;
let clock: FakeClock;
let idempotency: Idempotency;
let done: number;
let userId: number;

beforeAll(async () => {
  database = await useCloudDatabase();
  clock = fakeClock();
  const secrets = await openFileSecretStore({ dir: await mkdtemp(join(tmpdir(), 'ares-idem-')) });
  idempotency = createIdempotency({ database, secrets, clock });
  const row = await database.db
    .insertInto('users')
    .values({ email: 'a@example.org', password_hash: '-', suspended_at: null } as never)
    .returning('id')
    .executeTakeFirstOrThrow();
  userId = row.id;
});
afterAll(() => database.close());
beforeEach(() => {
  done = 0;
});

const work = async () => {
  done += 1;
  return { status: 201, body: { token: 'canary-token', n: done } };
};
const send = (key: string, asked: unknown = ['claim', { a: 1 }], job = work) =>
  idempotency.once({ userId, key, asked }, job);
const codeOf = (sent: Promise<unknown>) =>
  sent.then(
    () => 'done',
    (error: ProblemError) => error.code,
  );

describe('a request with an Idempotency-Key', () => {
  it('is done once and answered alike', async () => {
    const key = randomUUID();
    expect(await send(key)).toEqual({ status: 201, body: { token: 'canary-token', n: 1 }, repeated: false });
    expect(await send(key)).toEqual({ status: 201, body: { token: 'canary-token', n: 1 }, repeated: true });
    expect(done).toBe(1);
  });

  it('is done once though it comes twenty times at once', async () => {
    const key = randomUUID();
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(send(key))));
    expect(done).toBe(1);
    expect(codes).toContain('done');
    expect(codes.filter((code) => code !== 'done' && code !== 'CONFLICT')).toEqual([]);
  });

  it('is refused when the key came with something else', async () => {
    const key = randomUUID();
    await send(key);
    expect(await codeOf(send(key, ['claim', { a: 2 }]))).toBe('IDEMPOTENCY_KEY_REUSED');
    expect(done).toBe(1);
  });

  it('may be tried again after a problem, which changed nothing', async () => {
    const key = randomUUID();
    const problem = async () => {
      throw new ProblemError('NOT_FOUND', 'Not there.');
    };
    expect(await codeOf(send(key, 'x', problem))).toBe('NOT_FOUND');
    expect((await send(key, 'x')).repeated).toBe(false);
  });

  it('is never done again when nobody knows how it ended', async () => {
    const key = randomUUID();
    const crash = async () => {
      throw new Error('the process died');
    };
    await expect(send(key, 'x', crash)).rejects.toThrow('the process died');
    expect(await codeOf(send(key, 'x'))).toBe('CONFLICT');
    expect(done).toBe(0);
  });

  it.each(['', ' ', 'a b', 'ä', 'x'.repeat(256), 'a\n'])('is refused with the key %j', async (key) => {
    expect(await codeOf(send(key))).toBe('INVALID_REQUEST');
  });

  it('SEC-02 leaves nothing by which a password in it could be guessed', async () => {
    const [key, other] = [randomUUID(), randomUUID()];
    const asked = ['createUser', { password: 'canary' }];
    await send(key, asked);
    await send(other, asked);
    const rows = await database.db
      .selectFrom('idempotency_keys')
      .where('key', 'in', [key, other])
      .select('fingerprint')
      .execute();
    const hash = createHash('sha256').update(JSON.stringify(asked)).digest();
    expect(rows.map(({ fingerprint }) => fingerprint.includes(hash))).toEqual([false, false]);
    expect(rows[0]!.fingerprint.equals(rows[1]!.fingerprint)).toBe(false);
  });

  it('leaves no answer readable in the database, and none after a day', async () => {
    const key = randomUUID();
    await send(key);
    const rows = await database.db.selectFrom('idempotency_keys').selectAll().execute();
    expect(rows.length).toBeGreaterThan(0);
    expect(Buffer.concat(rows.map((row) => row.sealed_answer ?? Buffer.alloc(0))).includes('canary')).toBe(
      false,
    );
    await removeOldAnswers(database.db, new Date(clock.now() + 1));
    expect(await database.db.selectFrom('idempotency_keys').selectAll().execute()).toEqual([]);
  });
});
