import { mkdtemp } from 'node:fs/promises';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@ares/protocol/http';
import { type CredentialsAnswer, deviceApiPaths } from '@ares/protocol/http/device';
import mqtt, { type MqttClient } from 'mqtt';
import { Agent, fetch, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cloud, composeCloud } from '../../cloud/src/compose.ts';
import { roles } from '../../cloud/src/config.ts';
import { until } from '../../cloud/test/support/quiet.ts';
import { makeIdentity, TestDevice } from '../../cloud/test/support/test-device.ts';
import { freePort } from '../support/ares-process.ts';
import { makeCsr } from '../support/certificate-requests.ts';
import { usePostgres } from '../support/postgres.ts';

/** The whole cloud in this process: its listeners, its broker, its authority. */
let cloud: Cloud;
let apiHost: string;
beforeAll(async () => {
  const { host, port, user, password, database } = await usePostgres();
  const local = { bind: '127.0.0.1', host: '127.0.0.1', port: undefined };
  const home = await mkdtemp(join(tmpdir(), 'ares-pki-'));
  cloud = await composeCloud({
    roles: new Set(roles),
    home: join(home, 'cloud'),
    api: { host: '127.0.0.1', port: await freePort() },
    devices: local,
    mqtt: local,
    databaseUrl: `postgres://${user}:${encodeURIComponent(password)}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`,
    log: { level: 'silent', file: undefined },
  });
  apiHost = new URL(cloud.deviceApiUrl).host;
});
afterAll(() => cloud.close());

type Key = { certificate: CredentialsAnswer; keyPem: string };

async function person(wanted: readonly 'prime_admin'[] = []) {
  const account = { email: `${crypto.randomUUID()}@example.org`, password: 'correct horse battery' };
  await cloud.ensureAccount({ ...account, roles: wanted });
  const { accessToken } = await createClient({ baseUrl: cloud.publicUrl, fetch }).login({ body: account });
  return createClient({ baseUrl: cloud.publicUrl, fetch, accessToken: () => accessToken });
}

/** A connection of a device: with its certificate, or without. */
function dial(key?: Key): Agent {
  const ca = cloud.trustFile.caCertificates.join('\n');
  return new Agent({ connect: { ca, ...(key && pemOf(key)) } });
}
const pemOf = ({ certificate, keyPem }: Key) => ({ cert: certificate.certificateChain, key: keyPem });

function statusOf(path: string, agent: https.Agent): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = https.get(`${cloud.deviceApiUrl}${path}`, { agent }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on('error', reject);
  });
}
async function call(agent: Agent, method: 'GET' | 'POST', path: string, body?: object) {
  const answer = await request(`${cloud.deviceApiUrl}${path}`, {
    method,
    dispatcher: agent,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, body: text === '' ? undefined : JSON.parse(text) };
}
async function nonceFor(device: TestDevice): Promise<string> {
  const agent = dial();
  const answer = await call(agent, 'POST', deviceApiPaths.challenges, { deviceUuid: device.deviceUuid });
  await agent.close();
  return answer.body.nonce;
}
async function credentials(request: object, agent = dial()) {
  return call(agent, 'POST', deviceApiPaths.credentials, request);
}

async function ownedDevice() {
  const device = new TestDevice(apiHost);
  const hardware = { hardwareVersion: 'sim-1', hardwareVariant: 'greenhouse' };
  const admin = await person(['prime_admin']);
  await admin.preregister({ body: { ...device.claimBody, ...hardware } });
  const owner = await person();
  const { claimId, nonce, deviceApiUrl } = await owner.claim({ body: device.claimBody });
  expect(deviceApiUrl).toBe(cloud.deviceApiUrl);
  const csr = await makeCsr();
  const answer = await credentials(await device.request({ grant: 'claim', claimId, nonce, csr }));
  expect(answer.status).toBe(200);
  return { device, owner, key: { certificate: answer.body as CredentialsAnswer, keyPem: csr.keyPem } };
}

const connect = (device: TestDevice, key: Key): Promise<MqttClient> =>
  mqtt.connectAsync({
    ...cloud.mqtt,
    protocol: 'mqtts',
    protocolVersion: 4,
    clientId: device.deviceUuid,
    ca: [...cloud.trustFile.caCertificates],
    ...pemOf(key),
    reconnectPeriod: 0,
  });

describe('PKI-01 a revoked device', () => {
  it('PKI-01 is refused on the open and on new connections, at HTTP and broker, within five seconds', async () => {
    const { device, owner, key } = await ownedDevice();
    const components = deviceApiPaths.components(device.deviceUuid);
    const open = dial(key);
    expect((await call(open, 'GET', components)).status).toBe(200);
    // Resumes its TLS session, where the server lets it.
    const resuming = new https.Agent({
      ca: [...cloud.trustFile.caCertificates],
      ...pemOf(key),
      keepAlive: false,
    });
    expect(await statusOf(components, resuming)).toBe(200);
    const session = await connect(device, key);
    session.on('error', () => undefined);

    await owner.revokeCredentials({ params: { id: device.deviceUuid }, body: {} });
    const revokedAt = performance.now();
    expect(await call(open, 'GET', components)).toMatchObject({
      status: 401,
      body: { code: 'CERTIFICATE_REQUIRED' },
    });
    const fresh = dial(key);
    expect((await call(fresh, 'GET', components)).status).toBe(401);
    expect(await statusOf(components, resuming)).toBe(401);
    await until(() => !session.connected, 'the live session ends', 5_000);
    await expect(connect(device, key)).rejects.toThrow();
    const renew = await device.request({ grant: 'renew', nonce: await nonceFor(device) });
    expect((await credentials(renew, open)).body.code).toBe('RECOVERY_NEEDED');
    const identity = await device.request({ grant: 'identity', nonce: await nonceFor(device) });
    expect(await credentials(identity)).toMatchObject({ status: 409, body: { code: 'RECOVERY_NEEDED' } });
    expect(performance.now() - revokedAt).toBeLessThan(5_000);

    const { token } = await owner.recoveryToken({ params: { id: device.deviceUuid } });
    device.identity = makeIdentity();
    const csr = await makeCsr();
    const nonce = await nonceFor(device);
    const recovered = await credentials(
      await device.request({ grant: 'recovery', nonce, recoveryToken: token, csr }),
    );
    expect(recovered.status).toBe(200);
    const again = { certificate: recovered.body as CredentialsAnswer, keyPem: csr.keyPem };
    const back = await connect(device, again);
    await back.endAsync();
    await Promise.all([open.close(), fresh.close()]);
  });
});

describe('a device that its owner gives away', () => {
  it('hears the reset order on its session, which then ends, within five seconds', async () => {
    const { device, owner, key } = await ownedDevice();
    const session = await connect(device, key);
    session.on('error', () => undefined);
    const heard: string[] = [];
    session.on('message', (topic) => heard.push(topic));
    await session.subscribeAsync(`system/${device.deviceUuid}/reset`);
    const { certificateSerial } = key.certificate;
    await owner.unlink({ params: { id: device.deviceUuid } });
    await until(() => heard.length > 0, 'the reset order', 3_000);
    await until(() => !session.connected, `the session of ${certificateSerial} ends`, 5_000);
    await expect(connect(device, key)).rejects.toThrow();
    const nonce = await nonceFor(device);
    const standing = await call(dial(), 'POST', deviceApiPaths.standing, device.standing(nonce));
    expect(standing.status).toBe(200);
  });
});
