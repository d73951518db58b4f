import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeCsr } from '../../../test/support/certificate-requests.ts';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../src/adapters/local-certificate-authority.ts';
import { keepApps } from '../../src/apps/gate.ts';
import { appRepository } from '../../src/apps/repository.ts';
import { createAppCertificates } from '../../src/apps/service.ts';
import type { CertificateAuthority } from '../../src/ports/certificate-authority.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import type { AppRights } from '../../src/ports/device-broker.ts';
import { useCloudDatabase } from '../support/database.ts';
import { type FakeClock, fakeClock, silentLogger, until } from '../support/quiet.ts';

const DAY_MS = 86_400_000;
let database: CloudDatabase;
let clock: FakeClock;
let authority: CertificateAuthority;
let stop: (() => void) | undefined;

beforeEach(async () => {
  database = await useCloudDatabase();
  clock = fakeClock();
  const home = await mkdtemp(join(tmpdir(), 'ares-apps-'));
  const secrets = await openFileSecretStore({ dir: join(home, 'secrets') });
  authority = await openLocalCertificateAuthority({ secrets, clock, config: { dir: join(home, 'ca') } });
});
afterEach(async () => {
  stop?.();
  stop = undefined;
  await database.close();
});

async function user() {
  const { id, email } = await database.db
    .insertInto('users')
    .values({ email: `${randomUUID()}@example.org`, password_hash: 'x' })
    .returning(['id', 'email'])
    .executeTakeFirstOrThrow();
  const sessionId = randomUUID();
  const at = new Date(clock.now());
  await database.db
    .insertInto('sessions')
    .values({
      id: sessionId,
      user_id: id,
      created_at: at,
      last_used_at: at,
      expires_at: new Date(clock.now() + 30 * DAY_MS),
    })
    .execute();
  return { userId: id, email, sessionId };
}
const service = (brokerAsks: boolean) =>
  createAppCertificates({
    database,
    authority,
    clock,
    newUuid: randomUUID,
    config: { mqtt: { host: 'mqtt.example.org', port: 8883 }, brokerAsks },
  });
const csr = async () => (await makeCsr()).der.toString('base64url');
const running = async () =>
  (await appRepository.running(database.db, new Date(clock.now()))).map(({ appUuid }) => appUuid);

describe('the certificate of an app', () => {
  it('carries a name that the cloud drew, and lasts a day', async () => {
    const caller = await user();
    const answer = await service(true).issue({ csr: await csr(), caller, source: '127.0.0.1' });
    expect(answer).toMatchObject({
      mqtt: { host: 'mqtt.example.org', port: 8883 },
      topics: {
        requestState: `client/request_state/${caller.email}/`,
        state: `client/state/${caller.email}/`,
      },
    });
    expect(Date.parse(answer.expiresAt) - clock.now()).toBeGreaterThan(DAY_MS - 2_000);
    expect(await running()).toEqual([answer.appUuid]);
    const audit = await database.db.selectFrom('audit_log').select(['action', 'actor_user_id']).execute();
    expect(audit).toContainEqual({ action: 'app.certificate', actor_user_id: caller.userId });
    clock.advance(DAY_MS);
    expect(await running()).toEqual([]);
  });

  it('is refused for what is no request for a certificate', async () => {
    const caller = await user();
    await expect(service(true).issue({ csr: 'AAAA', caller, source: '' })).rejects.toMatchObject({
      code: 'CSR_MALFORMED',
    });
    expect(await running()).toEqual([]);
  });

  it.each([
    [
      'session ends',
      ({ sessionId }: { sessionId: string }) =>
        database.db
          .updateTable('sessions')
          .set({ ended_at: new Date(), end_reason: 'LOGOUT' })
          .where('id', '=', sessionId)
          .execute(),
    ],
    [
      'user is suspended',
      ({ userId }: { userId: number }) =>
        database.db.updateTable('users').set({ suspended_at: new Date() }).where('id', '=', userId).execute(),
    ],
    [
      'user is deleted',
      ({ userId }: { userId: number }) =>
        database.db.updateTable('users').set({ deleted_at: new Date() }).where('id', '=', userId).execute(),
    ],
  ])('is worth nothing once its %s, and the broker is told', async (_, end) => {
    const [caller, other] = [await user(), await user()];
    const synced: AppRights[] = [];
    stop = keepApps({
      broker: { syncApps: async (apps) => void synced.push(apps) },
      database,
      clock,
      log: silentLogger,
      lookMs: 50,
    });
    const mine = await service(false).issue({ csr: await csr(), caller, source: '' });
    const others = await service(false).issue({ csr: await csr(), caller: other, source: '' });
    expect([...synced.at(-1)!.keys()].toSorted()).toEqual([mine.appUuid, others.appUuid].toSorted());
    expect(synced.at(-1)!.get(mine.appUuid)).toMatchObject({ userEmail: caller.email });
    await end(caller);
    await until(() => synced.at(-1)!.size === 1, 'the broker to be told');
    expect([...synced.at(-1)!.keys()]).toEqual([others.appUuid]);
  });

  it('is answered only when the broker knows it', async () => {
    const caller = await user();
    let told = false;
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    stop = keepApps({
      broker: {
        async syncApps(apps) {
          if (apps.size > 0) await gate;
          told = apps.size > 0;
        },
      },
      database,
      clock,
      log: silentLogger,
    });
    const issuing = service(false).issue({ csr: await csr(), caller, source: '' });
    await new Promise((next) => setTimeout(next, 150));
    expect(told).toBe(false);
    open();
    await issuing;
    expect(told).toBe(true);
  });

  it('is UNAVAILABLE when the broker cannot be told', async () => {
    const caller = await user();
    await expect(service(false).issue({ csr: await csr(), caller, source: '' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  }, 15_000);

  it('takes the place of the one before the last of its session', async () => {
    const caller = await user();
    const issue = async () => {
      clock.advance(1_000);
      return (await service(true).issue({ csr: await csr(), caller, source: '' })).appUuid;
    };
    const [, second, third] = [await issue(), await issue(), await issue()];
    expect((await running()).toSorted()).toEqual([second, third].toSorted());
  });
});
