import { expect, it } from 'vitest';
import { createSecurityRepository } from '../../src/security/repository.ts';
import { useCloudDatabase } from '../support/database.ts';

it('writes events and alerts down whatever a stranger put into them', async () => {
  await using database = await closing();
  const repository = createSecurityRepository(database);
  // As the broker cuts a long topic: in the middle of a character.
  const topic = `${'a'.repeat(199)}😀/x\0y`;
  const detail = { topic: topic.slice(0, 200), whole: topic };
  await repository.insertEvents([
    { code: 'PUBLISH_DENIED', deviceUuid: undefined, detail },
    { code: 'MAC_MISMATCH', deviceUuid: undefined, detail: { count: 3 } },
  ]);
  await repository.insertAlert('BROKER_SUSPECTED', undefined, detail);
  const events = await database.db
    .selectFrom('security_events')
    .orderBy('code', 'desc')
    .select(['code', 'detail'])
    .execute();
  expect(events).toEqual([
    {
      code: 'PUBLISH_DENIED',
      detail: { topic: `${'a'.repeat(199)}\uFFFD`, whole: `${'a'.repeat(199)}😀/x\uFFFDy` },
    },
    { code: 'MAC_MISMATCH', detail: { count: 3 } },
  ]);
  expect(await database.db.selectFrom('alerts').select('kind').execute()).toEqual([
    { kind: 'BROKER_SUSPECTED' },
  ]);
});

async function closing() {
  const database = await useCloudDatabase();
  return Object.assign(database, { [Symbol.asyncDispose]: () => database.close() });
}
