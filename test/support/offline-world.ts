import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Client, createClient } from '@ares/protocol/http';
import {
  createJwksFetch,
  createKeyCache,
  createOfflineTokenValidator,
  OFFLINE_TOKEN_TYPE,
  type OfflineTokenClaims,
  openRevocations,
  readOfflineToken,
} from '@ares/protocol/offline-tokens';
import { CompactSign, importJWK } from 'jose';
import { Agent, fetch } from 'undici';
import { openFileSecretStore } from '../../cloud/src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../cloud/src/adapters/local-certificate-authority.ts';
import { openPgDatabase } from '../../cloud/src/adapters/pg-database.ts';
import { composeCloud } from '../../cloud/src/compose.ts';
import { readConfig } from '../../cloud/src/config.ts';
import { keyContext } from '../../cloud/src/keys/key-material.ts';
import { freePort, temporaryHome } from './ares-process.ts';
import { makeCsr } from './certificate-requests.ts';
import { usePostgres } from './postgres.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A running cloud, an owner with a pump, and a device that checks tokens as the library does. */
export async function offlineWorld() {
  const home = temporaryHome();
  const { user, password, database: name, host } = await usePostgres();
  const config = readConfig('all', {
    ARES_HOME: home.path,
    PORT: String(await freePort()),
    DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@localhost/${name}?host=${encodeURIComponent(host)}`,
    ARES_LOG_LEVEL: 'silent',
  });
  const cloud = await composeCloud(config);
  const database = openPgDatabase({
    connection: { host, port: 5432, user, password, database: name },
    log: silent,
  });
  const secrets = await openFileSecretStore({ dir: join(config.home, 'secrets') });
  const tls = new Agent({ connect: { ca: cloud.trustFile.caCertificates.join('\n') } });

  const person = async (): Promise<{ userUuid: string; client: Client }> => {
    const account = { email: `${randomUUID()}@example.org`, password: 'tomatoes and basil', roles: [] };
    const { userUuid } = await cloud.ensureAccount(account);
    const { email, password: secret } = account;
    const anonymous = createClient({ baseUrl: cloud.publicUrl, fetch });
    const { accessToken } = await anonymous.login({ body: { email, password: secret } });
    const client = createClient({ baseUrl: cloud.publicUrl, fetch, accessToken: () => accessToken });
    return { userUuid, client };
  };

  const seed = async (userUuid: string): Promise<string> => {
    const { db } = database;
    const variant = await db
      .insertInto('hardware_variants')
      .values({ hardware_version: 'sim-1', hardware_variant: randomUUID() })
      .returning('id')
      .executeTakeFirstOrThrow();
    await db
      .insertInto('device_pin_configs')
      .values({ hardware_variant_id: variant.id, component_type: 'pump', role: 'line', pins: [17] })
      .execute();
    const deviceUuid = randomUUID();
    const { id } = await db
      .insertInto('devices')
      .values({
        device_uuid: deviceUuid,
        cpu_serial: randomBytes(8).toString('hex'),
        hardware_variant_id: variant.id,
        life_cycle: 'ACTIVE',
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await db
      .insertInto('assignments')
      .values((from) => ({
        device_id: id,
        number: 1,
        user_id: from.selectFrom('users').where('user_uuid', '=', userUuid).select('id'),
      }))
      .execute();
    return deviceUuid;
  };

  /** As a claimed device has it. */
  const certificateOf = async (deviceUuid: string): Promise<Agent> => {
    const authority = await openLocalCertificateAuthority({
      secrets,
      clock: { now: Date.now },
      config: { dir: join(config.home, 'ca') },
    });
    const { der, keyPem } = await makeCsr();
    const serial = randomBytes(16).toString('hex').replace(/^./, '1');
    const issued = await authority.signDevice({
      csr: der,
      commonName: deviceUuid,
      validityMs: 3_600_000,
      serial,
    });
    await database.db
      .insertInto('certificates')
      .values((from) => {
        const device = from.selectFrom('devices').where('device_uuid', '=', deviceUuid).select('id');
        return {
          device_id: device,
          assignment_id: from.selectFrom('assignments').where('device_id', '=', device).select('id'),
          serial: issued.serial,
          spki_hash: randomBytes(32).toString('hex'),
          chain_pem: issued.chainPem,
          not_before: issued.notBefore,
          not_after: issued.notAfter,
          status: 'ACTIVE' as const,
          request_hash: 'test',
        };
      })
      .execute();
    const ca = cloud.trustFile.caCertificates.join('\n');
    return new Agent({ connect: { ca, key: keyPem, cert: issued.chainPem } });
  };

  const owner = await person();
  return {
    cloud,
    database,
    certificateOf,
    person,
    /** A device with a pump and a key, whose owner may do what an owner may. */
    async owned(alg: 'ED25519' | 'ES256' = 'ED25519') {
      const { userUuid, client } = owner;
      const deviceUuid = await seed(userUuid);
      const params = { id: deviceUuid };
      await client.attachComponent({ params, body: { componentType: 'pump', pins: { line: 17 } } });
      const { kid } = await client.rotateKey({ params, body: { alg } });
      return {
        client,
        deviceUuid,
        params,
        kid,
        issue: (scope = ['pump:on', 'pump:stop'], ttlSeconds = 3_600) =>
          client.issueOfflineToken({ params, body: { scope, ttlSeconds } }),
        verify: async (token: string) => (await client.verifyOfflineToken({ body: { token } })).reason,
        revocations: async () => (await client.offlineRevocations({ params })).revocations,
        /** Signs whatever it is told, with the device's own key: what a broken issuer could do at worst. */
        async forge(from: string, over: object, header: object = {}): Promise<string> {
          const { sealed_private: sealed } = await database.db
            .selectFrom('device_keys')
            .where('kid', '=', kid)
            .select('sealed_private')
            .executeTakeFirstOrThrow();
          const opened = await secrets.open(sealed!, keyContext(deviceUuid, kid));
          const jwk = JSON.parse(Buffer.from(opened).toString()) as { alg: string };
          const claims = { ...(readOfflineToken(from)?.claims as OfflineTokenClaims), ...over };
          return await new CompactSign(Buffer.from(JSON.stringify(claims)))
            .setProtectedHeader({ alg: jwk.alg, typ: OFFLINE_TOKEN_TYPE, kid, ...header })
            .sign(await importJWK({ ...jwk }, jwk.alg));
        },
      };
    },
    /** The device's half, with a clock of its own and the JWKS by its own TLS listener. */
    async device(deviceUuid: string, issuer: string) {
      let ahead = 0;
      let connected = true;
      let fetches = 0;
      let kept: string | undefined;
      const now = () => Date.now() + ahead;
      const { host: listener } = new URL(cloud.deviceApiUrl);
      const get = createJwksFetch({
        fetch: (url, init) => fetch(url, { ...init, dispatcher: tls }) as never,
        url: `${cloud.deviceApiUrl}/api/devices/${deviceUuid}/jwks`,
        host: listener,
      });
      const keys = createKeyCache({
        now,
        async fetchJwks() {
          fetches += 1;
          if (!connected) throw new Error('no network');
          return await get();
        },
      });
      const open = () =>
        openRevocations({
          issuer,
          deviceUuid,
          commandKeys: cloud.trustFile.commandKeys,
          now,
          store: {
            load: async () => kept,
            async save(list) {
              kept = list;
            },
          },
        });
      let revocations = await open();
      const check = async (token: string, action = 'on') => {
        const validator = createOfflineTokenValidator({
          issuer,
          deviceUuid,
          assignment: () => 1,
          keys,
          revocations,
          now,
        });
        const result = await validator.check(token, { componentType: 'pump', action });
        return result.ok ? null : result.problem;
      };
      return {
        check,
        fetches: () => fetches,
        accept: (list: string) => revocations.accept(list),
        goOffline() {
          connected = false;
        },
        /** Its clock goes on, the cloud's does not. */
        advance(ms: number) {
          ahead += ms;
        },
        /** Only what is stored is left. */
        async restart() {
          revocations = await open();
        },
      };
    },
    async close() {
      await tls.close();
      await database.close();
      await cloud.close();
      home.remove();
    },
  };
}

export type OfflineWorld = Awaited<ReturnType<typeof offlineWorld>>;
export type OfflineOwned = Awaited<ReturnType<OfflineWorld['owned']>>;
export type OfflineDevice = Awaited<ReturnType<OfflineWorld['device']>>;

/** `iss` of the cloud that issued a token. */
export const issuerOf = (token: string): string => readOfflineToken(token)!.claims!.iss;
