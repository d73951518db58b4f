import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, contract, createClient, type Route } from '@ares/protocol/http';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPgDatabase } from '../../cloud/src/adapters/pg-database.ts';
import { type Cloud, composeCloud } from '../../cloud/src/compose.ts';
import { readConfig } from '../../cloud/src/config.ts';
import type { CloudDatabase } from '../../cloud/src/ports/database.ts';
import { until } from '../../cloud/test/support/quiet.ts';
import { freePort } from '../support/ares-process.ts';
import { usePostgres } from '../support/postgres.ts';
import { sampleRequest } from '../support/route-samples.ts';

const routes = (Object.values(contract) as Route[]).filter(({ listeners }) => listeners.includes('public'));
const ofPolicy = (...policies: Route['policy'][]) =>
  routes.filter(({ policy }) => policies.includes(policy)).map((route) => [route.id, route] as const);

interface Person {
  readonly email: string;
  readonly token: string;
  readonly client: Client;
}

let home: string;
let cloud: Cloud;
let database: CloudDatabase;
let ada: Person;
let eve: Person;
let deviceUuid: string;
let componentId: number;

async function person(): Promise<Person> {
  const email = `${randomUUID()}@example.org`;
  const body = { email, password: 'tomatoes and basil' };
  const { accessToken: token } = await createClient({ baseUrl: cloud.publicUrl, fetch }).register({ body });
  return {
    email,
    token,
    client: createClient({ baseUrl: cloud.publicUrl, fetch, accessToken: () => token }),
  };
}

async function deviceOf({ email }: Person): Promise<string> {
  const variant = await database.db
    .insertInto('hardware_variants')
    .values({ hardware_version: 'sim-1', hardware_variant: randomUUID() })
    .returning('id')
    .executeTakeFirstOrThrow();
  await database.db
    .insertInto('device_pin_configs')
    .values({ hardware_variant_id: variant.id, component_type: 'pump', role: 'line', pins: [17] })
    .execute();
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
  await database.db
    .insertInto('assignments')
    .values((column) => ({
      device_id: device.id,
      number: 1,
      user_id: column.selectFrom('users').select('id').where('email', '=', email),
    }))
    .execute();
  return device.device_uuid;
}

const ask = (route: Route, token: string | undefined, id = deviceUuid) => {
  const { method, path, body } = sampleRequest(route, { id, componentId });
  return fetch(cloud.publicUrl + path, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
};

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'ares-api-'));
  const { user, password, database: name, host } = await usePostgres();
  cloud = await composeCloud(
    readConfig('all', {
      ARES_HOME: home,
      PORT: String(await freePort()),
      DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@localhost/${name}?host=${encodeURIComponent(host)}`,
      ARES_LOG_LEVEL: 'silent',
    }),
  );
  const connection = { host, port: 5432, user, password, database: name };
  database = openPgDatabase({
    connection,
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  });
  [ada, eve] = [await person(), await person()];
  deviceUuid = await deviceOf(ada);
  ({ componentId } = await ada.client.attachComponent({
    params: { id: deviceUuid },
    body: { componentType: 'pump', pins: { line: 17 } },
  }));
});
afterAll(async () => {
  await database.close();
  await cloud.close();
  rmSync(home, { recursive: true, force: true });
});

describe('API-01 a device of somebody else', () => {
  const picture = async () => {
    const params = { id: deviceUuid };
    const [device, components, commands] = await Promise.all([
      ada.client.getDevice({ params }),
      ada.client.listComponents({ params }),
      ada.client.listCommands({ params }),
    ]);
    return { device, components, commands };
  };

  it.each(ofPolicy('reader', 'pastReader', 'owner', 'ownerOnly'))(
    'API-01 %s answers 404 and changes nothing',
    async (_, route) => {
      const before = await picture();
      const answer = await ask(route, eve.token);
      expect(answer.status).toBe(404);
      const text = await answer.text();
      expect(JSON.parse(text)).toMatchObject({ code: 'NOT_FOUND' });
      expect(text).not.toContain(ada.email);
      expect(await picture()).toEqual(before);
    },
  );

  it.each(ofPolicy('reader', 'pastReader', 'owner', 'ownerOnly'))(
    'API-01 %s reaches nothing of it through an own device',
    async (_, route) => {
      const own = await deviceOf(eve);
      const before = await picture();
      // The component's id is Ada's, the device in the path is Eve's.
      const answer = await ask(route, eve.token, own);
      if (route.path.includes('{componentId}')) expect(answer.status).toBe(404);
      await answer.body?.cancel();
      expect(await picture()).toEqual(before);
    },
  );

  it('API-01 lists show own devices and commands only', async () => {
    const own = await deviceOf(eve);
    const { items } = await (await person()).client.listDevices();
    expect(items).toEqual([]);
    const seen = (await eve.client.listDevices()).items.map((device) => device.deviceUuid);
    expect(seen).toContain(own);
    expect(seen).not.toContain(deviceUuid);
  });

  it('API-01 a command by the id of her pump does not run through his device', async () => {
    const own = await deviceOf(eve);
    await expect(
      eve.client.sendCommand({ params: { id: own }, body: { componentId, action: 'on' } }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('API-05 what only some roles may do', () => {
  it.each(ofPolicy('admin', 'developer'))(
    'API-05 %s answers 403 to a user who owns a device',
    async (_, route) => {
      const answer = await ask(route, ada.token);
      expect(answer.status).toBe(403);
      expect(await answer.json()).toMatchObject({ code: 'FORBIDDEN' });
    },
  );

  it('API-05 nobody gives himself a role', async () => {
    const body = JSON.stringify({
      email: `${randomUUID()}@example.org`,
      password: 'tomatoes and basil',
      roles: ['prime_admin'],
    });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${cloud.publicUrl}/auth/register`, { method: 'POST', headers, body });
    expect(answer.status).toBe(400);
  });
});

describe('API-04 more than a cloud can take', () => {
  it('API-04 a flood from one address is told to slow down while others are served', async () => {
    const flood = new Agent({ connections: 200 });
    const other = new Agent({ localAddress: '127.0.0.2' });
    const answers = Array.from({ length: 8_000 }, async () => {
      const { status, body } = await fetch(`${cloud.publicUrl}/api/users/me`, { dispatcher: flood });
      await body?.cancel();
      return status;
    });
    const served: number[] = [];
    for (let n = 0; n < 20; n += 1) {
      const { status, body } = await fetch(`${cloud.publicUrl}/openapi.json`, { dispatcher: other });
      await body?.cancel();
      served.push(status);
    }
    const statuses = await Promise.all(answers);
    expect(new Set(served)).toEqual(new Set([200]));
    expect(statuses.every((status) => status === 401 || status === 429)).toBe(true);
    await Promise.all([flood.close(), other.close()]);
    // Whoever waits is served again.
    await until(async () => (await fetch(`${cloud.publicUrl}/openapi.json`)).ok, 'an answer');
  });

  it('API-04 hundreds that send their headers byte by byte hold up nobody, and are cut off', async () => {
    const port = Number(new URL(cloud.publicUrl).port);
    const slow = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\nx: ');
        return socket;
      }),
    );
    const startedAt = performance.now();
    expect((await fetch(`${cloud.publicUrl}/openapi.json`)).status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    const feeding = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write('a');
    }, 500);
    await Promise.all(slow.map(async (socket) => socket.closed || once(socket.resume(), 'close')));
    clearInterval(feeding);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

describe('API-06 a script that claims', () => {
  it('API-06 a thousand ids is stopped by the quota of its user', async () => {
    const script = await person();
    const tries = Array.from({ length: 100 }, () =>
      script.client
        .claim({
          body: {
            cpuSerial: randomBytes(8).toString('hex'),
            deviceUuid: randomUUID(),
            identityKeyHash: randomBytes(32).toString('hex'),
          },
        })
        .catch((error: { code: string }) => error.code),
    );
    const codes = await Promise.all(tries);
    expect(codes.filter((code) => code === 'NOT_FOUND').length).toBeLessThanOrEqual(20);
    expect(codes.filter((code) => code === 'TOO_MANY_REQUESTS').length).toBeGreaterThanOrEqual(80);
    await expect(
      ada.client.claim({
        body: { cpuSerial: 'ffffffff', deviceUuid: randomUUID(), identityKeyHash: 'f'.repeat(64) },
      }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('API-08 what a careless installation would show', () => {
  it('API-08 has no account, password or key from the sources', async () => {
    const { rows } = await database.db
      .selectFrom('users')
      .select((column) => column.fn.countAll<number>().as('rows'))
      .where('email', 'not like', '%@example.org')
      .executeTakeFirstOrThrow();
    expect(rows).toBe(0);
  });

  it('API-08 allows no other origin, and no debug route', async () => {
    const answer = await fetch(`${cloud.publicUrl}/api/devices`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET' },
    });
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    for (const path of [
      '/debug',
      '/metrics',
      '/.env',
      '/.git/config',
      '/admin',
      '/api',
      '/panel/../../package.json',
      '/package.json',
      '/api/v0/devices',
    ]) {
      expect((await fetch(cloud.publicUrl + path)).status, path).toBe(404);
    }
  });

  it('API-08 shows no stack and no path of this machine in any refusal', async () => {
    for (const [, route] of ofPolicy(
      'anyone',
      'user',
      'reader',
      'pastReader',
      'owner',
      'admin',
      'developer',
    )) {
      if (route.success[200] === 'event-stream') continue;
      for (const token of [undefined, 'x.y.z', eve.token]) {
        const answer = await ask(route, token);
        if (answer.status < 400) {
          await answer.body?.cancel();
          continue;
        }
        expect(await answer.text(), route.id).not.toMatch(
          /node_modules|\.ts:|at [A-Z]\w+\.|\/home\/|select |insert /,
        );
      }
    }
  });
});
