import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRegistrationLine } from '@ares/protocol';
import { type Client, createClient } from '@ares/protocol/http';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFileSecretStore } from '../../cloud/src/adapters/file-secret-store.ts';
import { openPgDatabase } from '../../cloud/src/adapters/pg-database.ts';
import { composeCloud } from '../../cloud/src/compose.ts';
import { type CloudConfig, readConfig } from '../../cloud/src/config.ts';
import { sharedSecretContext } from '../../cloud/src/credentials/shared-secrets.ts';
import { createVirtualPi } from '../../cloud/src/demo/virtual-pi.ts';
import { keyContext } from '../../cloud/src/keys/key-material.ts';
import { connectWithin, greenhouseWifi, pairVirtualPi } from '../../cloud/src/phone/simulated-phone.ts';
import type { CloudDatabase } from '../../cloud/src/ports/database.ts';
import { silentLogger, until } from '../../cloud/test/support/quiet.ts';
import { freePort, temporaryHome } from '../support/ares-process.ts';
import { type Canary, canariesIn, filesUnder, privateKeysIn } from '../support/canaries.ts';
import { makeCsr } from '../support/certificate-requests.ts';
import { readMail } from '../support/mail-reader.ts';
import { usePostgres } from '../support/postgres.ts';

/** As people type them, recognisable wherever they come out. */
const typed = {
  password: 'canary password parsley 1',
  newPassword: 'canary password oregano 2',
  wrongPassword: 'canary password nettles 3',
  adminPassword: 'canary password juniper 4',
  wifiPassword: 'canary wifi coriander 5',
} as const;

const home = temporaryHome();
const email = `${randomUUID()}@example.org`;
const canaries: Canary[] = Object.entries(typed).map(([name, value]) => ({ name, value }));
const note = <T extends string | Uint8Array>(name: string, value: T): T => {
  canaries.push({ name, value });
  return value;
};
/** The codes of mails, which belong into the mail of their receiver. */
const codes: string[] = [];
let logged: string;
let mails: ReturnType<typeof readMail>[];
let tables: string;
let deviceUuid: string;

const mailsIn = (config: CloudConfig) => {
  const folder = join(config.home, 'outbox');
  return filesUnder(folder).map((path) => readMail(readFileSync(path, 'utf8')));
};

/** The code of the mail whose text is like this. */
async function mailedCode(config: CloudConfig, about: RegExp): Promise<string> {
  const code = await until(() => {
    const mail = mailsIn(config).find(({ text }) => about.test(text));
    return mail && /\b\d{6}\b/.exec(mail.text)?.[0];
  }, `a mail like ${about}`);
  codes.push(code);
  return code;
}

/** Everything that a person does with an account, rightly and wrongly. */
async function liveWithAccount(url: string, config: CloudConfig): Promise<Client> {
  const anonymous = createClient({ baseUrl: url, fetch });
  const noteSession = (session: { accessToken: string; refreshToken: string }) => {
    note('access token', session.accessToken.split('.')[2]!);
    note('refresh token', session.refreshToken);
    return session;
  };
  noteSession(await anonymous.register({ body: { email, password: typed.password } }));
  await anonymous.verifyEmail({ body: { email, code: await mailedCode(config, /verify/i) } });
  const refused = async (work: Promise<unknown>) =>
    expect(await work.then(() => 'taken').catch((error: { code?: string }) => error.code)).not.toBe('taken');
  await refused(anonymous.login({ body: { email, password: typed.wrongPassword } }));
  const first = noteSession(await anonymous.login({ body: { email, password: typed.password } }));
  const second = noteSession(await anonymous.refresh({ body: { refreshToken: first.refreshToken } }));
  await refused(anonymous.refresh({ body: { refreshToken: `${first.refreshToken}x` } }));
  await anonymous.forgotPassword({ body: { email } });
  const code = await mailedCode(config, /new password/i);
  const wrong = code === '123456' ? '123457' : '123456';
  await refused(anonymous.resetPassword({ body: { email, code: wrong, password: typed.newPassword } }));
  await anonymous.resetPassword({ body: { email, code, password: typed.newPassword } });
  await refused(anonymous.refresh({ body: { refreshToken: second.refreshToken } }));
  const session = noteSession(await anonymous.login({ body: { email, password: typed.newPassword } }));
  // Requests that are refused are logged at the level debug.
  const raw = (path: string, init: object) => fetch(url + path, { method: 'POST', ...init });
  const json = { 'content-type': 'application/json' };
  await raw('/auth/login', { headers: json, body: `{"email":"${email}","password":"${typed.password}"` });
  await raw('/auth/login', { headers: json, body: JSON.stringify({ email, password: [typed.password] }) });
  await raw(`/auth/login?password=${encodeURIComponent(typed.password)}`, { headers: json, body: '{}' });
  await fetch(`${url}/api/devices?token=${session.refreshToken}`, {
    headers: { authorization: `Bearer ${session.refreshToken}` },
  });
  return createClient({ baseUrl: url, fetch, accessToken: () => session.accessToken });
}

/** Everything that an owner does with a device. */
async function liveWithDevice(owner: Client, id: string): Promise<void> {
  const params = { id };
  await owner.sendCommand({
    params,
    query: { wait: 10 },
    body: { componentType: 'led', action: 'on', args: { durationMs: 500 } },
  });
  await owner.rotateKey({ params, body: { alg: 'ED25519' } });
  const { token } = await owner.issueOfflineToken({ params, body: { scope: ['led:on'], ttlSeconds: 600 } });
  note('offline token', token.split('.')[2]!);
  await owner.verifyOfflineToken({ body: { token } });
  await owner.verifyOfflineToken({ body: { token: `${token}x` } });
  await owner.revokeOfflineToken({ body: { token } });
  await owner.changeWifi({
    params,
    query: { wait: 20 },
    body: { ssid: 'nowhere', password: typed.wifiPassword, ttlSeconds: 30 },
  });
  const csr = await makeCsr();
  note('key of the app', csr.keyPem.split('\n').at(-3)!.slice(0, 40));
  await owner.appCertificate({ body: { csr: csr.der.toString('base64url') } });
}

/** What the cloud keeps sealed, and what the device keeps to itself. */
async function noteKeptSecrets(
  config: CloudConfig,
  database: CloudDatabase,
  stateDir: string,
): Promise<void> {
  const dir = join(config.home, 'secrets');
  const secrets = await openFileSecretStore({ dir });
  note('key encryption key', readFileSync(join(dir, 'key-encryption-key')));
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.sealed'))) {
    const name = file.slice(0, -'.sealed'.length);
    if (name === 'installation-id') continue;
    const value = (await secrets.get(name))!;
    const text = Buffer.from(value).toString();
    const d = /"d":"([\w-]+)"/.exec(text)?.[1];
    note(`secret ${name}`, d ?? (/^[\x20-\x7e]+$/.test(text) ? text : value));
  }
  const { db } = database;
  for (const { n, number, sealed } of await db
    .selectFrom('assignment_secrets as s')
    .innerJoin('assignments as a', 'a.id', 's.assignment_id')
    .select(['s.n', 'a.number', 's.sealed'])
    .execute())
    note('shared secret', await secrets.open(sealed, sharedSecretContext(deviceUuid, number, n)));
  const drawn = await db.selectFrom('device_keys').select(['kid', 'sealed_private as sealed']).execute();
  for (const { kid, sealed } of drawn) {
    if (sealed === null) continue;
    const jwk = Buffer.from(await secrets.open(sealed, keyContext(deviceUuid, kid))).toString();
    note('key of the device', /"d":"([\w-]+)"/.exec(jwk)![1]!);
  }
  const keys = privateKeysIn([...filesUnder(stateDir), ...filesUnder(config.home)]);
  expect(keys.length).toBeGreaterThan(0);
  canaries.push(...keys);
}

beforeAll(async () => {
  const { user, password, database: name, host } = await usePostgres();
  const logFile = join(home.path, 'cloud.log');
  const config = readConfig('all', {
    ARES_HOME: home.path,
    PORT: String(await freePort()),
    DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@localhost/${name}?host=${encodeURIComponent(host)}`,
    ARES_LOG_LEVEL: 'debug',
    ARES_LOG_FILE: logFile,
  });
  note('password of the database', password);
  const cloud = await composeCloud(config);
  const database = openPgDatabase({
    connection: { host, port: 5432, user, password, database: name },
    log: silentLogger,
  });
  const pi = createVirtualPi(join(home.path, 'pi'));
  try {
    const admin = { email: `${randomUUID()}@example.org`, password: typed.adminPassword };
    await cloud.ensureAccount({ ...admin, roles: ['prime_admin'] });
    const owner = await liveWithAccount(cloud.publicUrl, config);
    const anonymous = createClient({ baseUrl: cloud.publicUrl, fetch });
    const { accessToken } = await anonymous.login({ body: admin });
    const factory = await pi.factoryInit(cloud.trustFile);
    note('setup code', factory.setupCode);
    const line = parseRegistrationLine(factory.registrationLine);
    if (!line.ok) throw new Error('factory-init printed no registration line');
    await createClient({ baseUrl: cloud.publicUrl, fetch, accessToken: () => accessToken }).preregister({
      body: line.value,
    });
    await pi.start();
    deviceUuid = await pairVirtualPi({
      link: await connectWithin(pi.bleSocket, 30_000),
      setupCode: factory.setupCode,
      client: {
        ...owner,
        claim: async (request) => {
          const answer = await owner.claim(request);
          note('nonce of the claim', answer.nonce);
          return answer;
        },
      },
      wifi: greenhouseWifi,
      components: [{ componentType: 'led', pins: { line: 27 } }],
      onEvent: () => {},
    });
    note('password of the first Wi-Fi', greenhouseWifi.password!);
    await liveWithDevice(owner, deviceUuid);
    await noteKeptSecrets(config, database, pi.stateDir);
    await owner.revokeCredentials({ params: { id: deviceUuid }, body: {} });
    note('recovery token', (await owner.recoveryToken({ params: { id: deviceUuid } })).token);
    mails = mailsIn(config);
    tables = JSON.stringify([
      await database.db.selectFrom('audit_log').selectAll().execute(),
      await database.db.selectFrom('security_events').selectAll().execute(),
      await database.db.selectFrom('alerts').selectAll().execute(),
    ]);
  } finally {
    await pi.stop();
    await database.close();
    await cloud.close();
  }
  logged = ['cloud.log', 'pi/agent.log', 'pi/board.log']
    .map((path) => readFileSync(join(home.path, path), 'utf8'))
    .join('\n');
}, 240_000);
afterAll(() => home.remove());

describe('SEC-02 API-08 after a life of an account and its device, with every line logged', () => {
  it('SEC-02 no password, token, code, nonce, key or shared secret stands in a log', () => {
    // There is something to look at, and it would be found.
    for (const expected of ['refused a request', deviceUuid, '/auth/reset-password'])
      expect(logged).toContain(expected);
    const kinds = new Set(canaries.map(({ name }) => name.split(' of /')[0]));
    expect(kinds.size).toBeGreaterThan(20);
    const hidden = randomBytes(32);
    const probe = { name: 'probe', value: hidden };
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(canariesIn(`${logged} key=${hidden.toString(encoding)}.`, [probe])).toEqual(['probe']);
    const ofMails = codes.map((value) => ({ name: 'code of a mail', value }));
    expect(canariesIn(logged, [...canaries, ...ofMails])).toEqual([]);
  });

  it('SEC-02 nor in a mail, but for the code in the mail to whom it is for', () => {
    expect(mails.length).toBeGreaterThan(0);
    for (const mail of mails) {
      expect(canariesIn(`${mail.subject}\n${mail.text}`, canaries)).toEqual([]);
      const itsCodes = codes.filter((code) => mail.text.includes(code));
      if (itsCodes.length > 0) expect(mail.to).toContain(email);
    }
  });

  it('SEC-02 nor in what the cloud writes down about it: audit log, security events, alerts', () => {
    expect(tables).toContain('offline-token');
    expect(canariesIn(tables, canaries)).toEqual([]);
  });
});
