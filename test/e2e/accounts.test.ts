import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@ares/protocol/http';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPgDatabase } from '../../cloud/src/adapters/pg-database.ts';
import { type Cloud, composeCloud } from '../../cloud/src/compose.ts';
import { readConfig } from '../../cloud/src/config.ts';
import type { CloudDatabase } from '../../cloud/src/ports/database.ts';
import { silentLogger, until } from '../../cloud/test/support/quiet.ts';
import { type SmtpWorld, startSmtpServer } from '../../cloud/test/support/smtp-world.ts';
import { freePort } from '../support/ares-process.ts';
import { makeTestAuthority } from '../support/certificates.ts';
import { readMail } from '../support/mail-reader.ts';
import { usePostgres } from '../support/postgres.ts';

const password = 'tomatoes and basil';
let home: string;
let cloud: Cloud;
let database: CloudDatabase;
let post: SmtpWorld;
let anonymous: Client;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'ares-accounts-'));
  const authority = await makeTestAuthority();
  const { keyPem, certificatePem } = await authority.issue({ commonName: 'localhost', usage: 'server' });
  post = await startSmtpServer({ key: keyPem, cert: certificatePem });
  writeFileSync(join(home, 'mail-ca.pem'), authority.certificatePem);
  const connection = await usePostgres();
  const { host, port, user, password: secret, database: name } = connection;
  cloud = await composeCloud(
    readConfig('all', {
      ARES_HOME: home,
      DATABASE_URL: `postgres://${user}:${encodeURIComponent(secret)}@localhost:${port}/${name}?host=${encodeURIComponent(host)}`,
      PORT: String(await freePort()),
      ARES_LOG_LEVEL: 'silent',
      ARES_SMTP_URL: `smtp://localhost:${post.port}?ca=${encodeURIComponent(join(home, 'mail-ca.pem'))}`,
      ARES_MAIL_FROM: 'Greenhouse <greenhouse@example.org>',
    }),
  );
  database = openPgDatabase({ connection, log: silentLogger });
  anonymous = createClient({ baseUrl: cloud.publicUrl, fetch });
});
afterAll(async () => {
  await database?.close();
  await cloud?.close();
  await post?.close();
  rmSync(home, { recursive: true, force: true });
});

/** The code of the newest mail to an address with this in its text. */
async function codeFor(email: string, about: string): Promise<string> {
  return until(() => {
    const mail = post.mails
      .filter(({ to }) => to.includes(email))
      .map(({ raw }) => readMail(raw).text)
      .findLast((text) => text.includes(about));
    return mail === undefined ? undefined : /\b\d{6}\b/.exec(mail)?.[0];
  }, `a mail to ${email}`);
}

async function verifiedPerson() {
  const email = `${randomUUID()}@example.org`;
  const session = await anonymous.register({ body: { email, password } });
  await anonymous.verifyEmail({ body: { email, code: await codeFor(email, 'verify') } });
  const client = createClient({ baseUrl: cloud.publicUrl, fetch, accessToken: () => session.accessToken });
  return { email, client, ...session };
}

describe('an account where mail goes out', () => {
  it('is verified by the mail, and only then reads devices', async () => {
    const email = `${randomUUID()}@example.org`;
    const { accessToken } = await anonymous.register({ body: { email, password } });
    const client = createClient({ baseUrl: cloud.publicUrl, fetch, accessToken: () => accessToken });
    await expect(client.listDevices()).rejects.toMatchObject({ code: 'EMAIL_UNVERIFIED' });
    const code = await codeFor(email, 'verify');
    expect(readMail(post.mails.at(-1)!.raw).from).toBe('Greenhouse <greenhouse@example.org>');
    await anonymous.verifyEmail({ body: { email, code } });
    expect((await client.listDevices()).items).toEqual([]);
  });

  it('gets a new password by the code that is mailed', async () => {
    const { email } = await verifiedPerson();
    await anonymous.forgotPassword({ body: { email } });
    const code = await codeFor(email, 'new password');
    await anonymous.resetPassword({ body: { email, code, password: 'basil and tomatoes' } });
    const { user } = await anonymous.login({ body: { email, password: 'basil and tomatoes' } });
    expect(user.email).toBe(email);
  });

  it('deleted, leaves its device released with a reset order, and its certificate revoked', async () => {
    const { email, client } = await verifiedPerson();
    const { deviceUuid, deviceId } = await deviceOf(email);
    await client.deleteMe({ body: { password } });
    const assignment = await database.db
      .selectFrom('assignments')
      .where('device_id', '=', deviceId)
      .select(['ended_at', 'reset_order'])
      .executeTakeFirstOrThrow();
    expect(assignment.ended_at).not.toBeNull();
    expect(assignment.reset_order).toMatch(/^eyJ/);
    await until(async () => {
      const row = await database.db
        .selectFrom('certificates')
        .where('device_id', '=', deviceId)
        .select('status')
        .executeTakeFirst();
      return row?.status === 'REVOKED';
    }, `the certificate of ${deviceUuid} is revoked`);
    await expect(client.me()).rejects.toMatchObject({ code: 'AUTHENTICATION_REQUIRED' });
    await until(
      () => post.mails.some(({ to, raw }) => to.includes(email) && raw.includes('was deleted')),
      'the person is told',
    );
  });
});

/** A device with a certificate, as its owner has it after pairing. */
async function deviceOf(email: string): Promise<{ deviceUuid: string; deviceId: number }> {
  const variant = await database.db
    .insertInto('hardware_variants')
    .values({ hardware_version: 'sim-1', hardware_variant: randomUUID() })
    .returning('id')
    .executeTakeFirstOrThrow();
  const device = await database.db
    .insertInto('devices')
    .values({
      device_uuid: randomUUID(),
      cpu_serial: randomBytes(8).toString('hex'),
      hardware_variant_id: variant.id,
      life_cycle: 'ACTIVE',
    })
    .returning(['id', 'device_uuid'])
    .executeTakeFirstOrThrow();
  const assignment = await database.db
    .insertInto('assignments')
    .values((column) => ({
      device_id: device.id,
      number: 1,
      user_id: column.selectFrom('users').select('id').where('email', '=', email),
    }))
    .returning('id')
    .executeTakeFirstOrThrow();
  await database.db
    .insertInto('certificates')
    .values({
      device_id: device.id,
      assignment_id: assignment.id,
      serial: randomBytes(16).toString('hex'),
      spki_hash: randomBytes(32).toString('hex'),
      chain_pem: 'a chain',
      status: 'ACTIVE',
      request_hash: 'a request',
    })
    .execute();
  return { deviceUuid: device.device_uuid, deviceId: device.id };
}
