import { expect, it } from 'vitest';
import { usePostgres } from '../../../test/support/postgres.ts';
import { query } from './embedded-postgres-support.ts';

it('gives each caller an empty database on one server', async () => {
  const [one, other] = await Promise.all([usePostgres(), usePostgres()]);
  expect(one.host).toBe(other.host);
  await query(one, 'create table t (n int)');
  await expect(query(other, 'select * from t')).rejects.toMatchObject({ code: '42P01' });
});

it('prepares a template once, also after an attempt that failed, and copies it for each caller', async () => {
  let prepared = 0;
  const name = 'prepared_once';
  const failing = { name, prepare: () => Promise.reject(new Error('half-way')) };
  await expect(usePostgres(failing)).rejects.toThrow('half-way');
  const template = {
    name,
    prepare: async (connection: Parameters<typeof query>[0]) => {
      prepared += 1;
      await query(connection, 'create table t as select 7 as seven');
    },
  };
  for (const database of await Promise.all([
    usePostgres(template),
    usePostgres(template),
    usePostgres(template),
  ])) {
    expect(await query(database, 'select * from t')).toEqual([{ seven: 7 }]);
    await query(database, 'drop table t');
  }
  expect(prepared).toBe(1);
});
