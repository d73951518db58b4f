import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeAudit } from '../../src/audit/audit-log.ts';
import { createAuditChain } from '../../src/audit/chain.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { useCloudDatabase } from '../support/database.ts';

let database: CloudDatabase;
let chain: ReturnType<typeof createAuditChain>;
const key = randomBytes(32);

beforeEach(async () => {
  database = await useCloudDatabase();
  chain = createAuditChain({ database, key });
  for (let n = 1; n <= 5; n += 1) await write(n);
});
afterEach(() => database.close());

const write = (n: number) =>
  writeAudit(database.db, {
    actorUserId: null,
    action: 'device.block',
    objectType: 'device',
    objectId: String(n),
    detail: { reason: `"quoted" ${n}`, b: 1, a: 2 },
  });

/** What the owner of the tables can do. */
const tamper = (statement: string) =>
  database.db.transaction().execute(async (queries) => {
    await sql`alter table audit_log disable trigger user`.execute(queries);
    await sql.raw(statement).execute(queries);
    await sql`alter table audit_log enable trigger user`.execute(queries);
  });

describe('the chain of the audit log', () => {
  it('holds every row, in any number of steps, and says how many are too young', async () => {
    expect((await chain.extend())?.seq).toBe(5);
    await write(6);
    expect(await chain.verify()).toMatchObject({ rows: 5, unchained: 1 });
    const head = await chain.extend();
    expect(head?.seq).toBe(6);
    expect(await chain.extend()).toBeUndefined();
    expect(await chain.verify()).toEqual({ rows: 6, head, unchained: 0 });
  });

  it('is one chain when several processes extend it at once', async () => {
    const others = Array.from({ length: 4 }, () => createAuditChain({ database, key }));
    await Promise.all(others.map((other) => other.extend()));
    expect(await chain.verify()).toMatchObject({ rows: 5, unchained: 0 });
  });

  it.each([
    ['a changed detail', "update audit_log set detail = '{}' where chain_seq = 3", 'CHANGED', 3],
    ['a changed time', "update audit_log set at = at + interval '1 us' where chain_seq = 2", 'CHANGED', 2],
    ['a changed action', "update audit_log set action = 'x' where chain_seq = 5", 'CHANGED', 5],
    ['a removed row', 'delete from audit_log where chain_seq = 3', 'MISSING', 3],
    [
      'a removed row whose place was filled',
      'delete from audit_log where chain_seq = 3; update audit_log set chain_seq = chain_seq - 1 where chain_seq > 3',
      'CHANGED',
      3,
    ],
    [
      'a row that somebody put in',
      `insert into audit_log (action, object_type, object_id, detail, chain_seq, chain_mac)
        select action, object_type, object_id, detail, 6, chain_mac from audit_log where chain_seq = 5`,
      'CHANGED',
      6,
    ],
  ])('shows %s', async (_what, statement, code, seq) => {
    await chain.extend();
    await tamper(statement);
    expect((await chain.verify()).problem).toMatchObject({ code, seq });
  });

  it('shows that its end was cut off to who wrote a head down', async () => {
    const head = await chain.extend();
    await tamper('delete from audit_log where chain_seq > 3');
    expect((await chain.verify()).problem).toBeUndefined();
    expect((await chain.verify(head)).problem).toMatchObject({ code: 'HEAD_MISSING', seq: 5 });
  });

  it('cannot be made again without the key', async () => {
    await chain.extend();
    await tamper("update audit_log set chain_seq = null, chain_mac = null, action = 'nothing.happened'");
    await createAuditChain({ database, key: randomBytes(32) }).extend();
    expect((await chain.verify()).problem).toMatchObject({ code: 'CHANGED', seq: 1 });
  });
});

describe('the audit log', () => {
  it.each([
    ['update', "update audit_log set action = 'x'"],
    ['delete', 'delete from audit_log'],
    ['truncate', 'truncate audit_log'],
    ['a second place', 'update audit_log set chain_seq = chain_seq + 100'],
  ])('refuses %s', async (_what, statement) => {
    await chain.extend();
    await expect(sql.raw(statement).execute(database.db)).rejects.toMatchObject({ code: '42501' });
  });
});
