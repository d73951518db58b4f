import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createChallenges } from '../../src/credentials/challenges.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { outcome } from '../support/credentials-world.ts';
import { useCloudDatabase } from '../support/database.ts';
import { fakeClock } from '../support/quiet.ts';

let database: CloudDatabase;
beforeAll(async () => {
  database = await useCloudDatabase();
});
afterAll(() => database.close());

const clock = fakeClock();
const key = randomBytes(32);
const challenges = createChallenges({ key, clock, random: randomBytes });
const deviceUuid = randomUUID();
const use = (nonce: string, by = challenges, uuid = deviceUuid) =>
  outcome(
    database.db
      .transaction()
      .execute((trx) => by.use(trx, { nonce, deviceUuid: uuid, nowMs: clock.now() }))
      .then(() => 'used'),
  );
const rows = () => database.db.selectFrom('challenges').selectAll().execute();

describe('a challenge', () => {
  it('API-04 leaves nothing in the database, however often somebody asks', async () => {
    for (let n = 0; n < 1_000; n += 1) challenges.issue(randomUUID());
    expect(await rows()).toEqual([]);
  });

  it('is good once, for its device, at any replica', async () => {
    const { nonce } = challenges.issue(deviceUuid);
    const replica = createChallenges({ key, clock, random: randomBytes });
    expect(await use(nonce, challenges, randomUUID())).toBe('NONCE_UNKNOWN');
    expect(await use(nonce, replica)).toBe('used');
    expect(await use(nonce)).toBe('NONCE_UNKNOWN');
  });

  it('is used by one of ten at the same moment, and stays good when that one fails', async () => {
    const { nonce } = challenges.issue(deviceUuid);
    const failing = database.db.transaction().execute(async (trx) => {
      await challenges.use(trx, { nonce, deviceUuid, nowMs: clock.now() });
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => use(nonce)));
    expect(outcomes.filter((one) => one === 'used')).toHaveLength(1);
  });

  it('is good for ten minutes, which nobody can prolong', async () => {
    const { nonce, expiresAt } = challenges.issue(deviceUuid);
    expect(Date.parse(expiresAt)).toBe(clock.now() + 600_000);
    const later = Buffer.from(nonce, 'base64url');
    later.writeUIntBE(clock.now() + 86_400_000, 0, 6);
    expect(await use(later.toString('base64url'))).toBe('NONCE_UNKNOWN');
    clock.advance(600_000);
    expect(await use(nonce)).toBe('NONCE_EXPIRED');
  });

  it('is not one that is made up, cut, or written in another way', async () => {
    const { nonce } = challenges.issue(deviceUuid);
    const foreign = createChallenges({ key: randomBytes(32), clock, random: randomBytes }).issue(deviceUuid);
    // The last of 43 digits carries two unused bits: four spellings of the same bytes.
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const respelled = nonce.slice(0, -1) + digits[digits.indexOf(nonce.at(-1)!) + 1];
    for (const bad of [foreign.nonce, nonce.slice(0, -4), `${nonce}AAAA`, `${nonce}=`, respelled, '', '!'])
      expect(await use(bad), bad).toBe('NONCE_UNKNOWN');
    expect(await use(nonce)).toBe('used');
  });
});
