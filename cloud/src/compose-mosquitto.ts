import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { directMosquitto, type MosquittoBroker } from './adapters/mosquitto-broker.ts';
import { canaryIssuer } from './adapters/mosquitto-publisher.ts';
import { deviceAcl, serviceAcl } from './broker/acl.ts';
import { serviceNames } from './broker/service-rights.ts';
import { startAppRights } from './compose-apps.ts';
import { type Foundation, renewDaily } from './compose-foundation.ts';
import { signBrokerCertificate, watchSessions } from './compose-sessions.ts';
import { createRevocationService } from './pki/revocation-list.ts';
import type { SecretStore } from './ports/secret-store.ts';
import type { SecurityReporter } from './ports/security-reporter.ts';
import { createStateRepository } from './state/repository.ts';

/** Certificates come off and onto the list by the clock too: those that a device has renewed. */
const LOOK_MS = 30_000;
const AGAIN_MS = 5_000;

/** Directs a Mosquitto: writes its files and keeps them right, ends sessions. One process of a cloud at a time. */
export async function startMosquittoRole(
  foundation: Foundation,
  security: SecurityReporter,
  stack: AsyncDisposableStack,
): Promise<MosquittoBroker> {
  const { config, database, authority, certificates, clock, log, ports, secrets } = foundation;
  const { folder, host, services, plugin } = config.mosquitto!;
  const rootPem = authority.caCertificates.root;
  const broker = await directMosquitto({
    settings: {
      folder,
      user: nameOfUser(),
      devices: { bind: config.mqtt.bind, port: ports.mqtt },
      services,
      ...(plugin !== undefined && { dynamicSecurity: plugin }),
    },
    host,
    rootPem,
    acls: { devices: deviceAcl(), services: serviceAcl() },
    logins: await Promise.all(
      serviceNames.map(async (name) => ({ name, password: await servicePassword(secrets, name) })),
    ),
    credentials: () => authority.signService({ commonName: 'ares-broker' }),
    issueCanary: canaryIssuer(authority, () => randomBytes(8).toString('hex')),
    // Notes the first use too: the certificate before it is done with.
    accepted: (serial, deviceUuid) => certificates.admit({ serial, deviceUuid }),
    online: async () => [...(await createStateRepository(database).online()).keys()],
    security,
    clock,
    log,
  });
  stack.defer(() => broker.close());

  let server = await signBrokerCertificate(foundation);
  let again: NodeJS.Timeout | undefined;
  const revocations = createRevocationService({
    database,
    authority,
    clock,
    log,
    more: () => broker.turnCanaries(),
    lookEveryMs: LOOK_MS,
  });
  const unpublish = revocations.onPublished((crls) =>
    broker
      .setTls({ keyPem: server.keyPem, chainPem: server.chainPem, rootPem, crls })
      .catch((error: Error) => {
        log.error({ error: error.message }, 'the files of the broker were not replaced; trying again');
        again = setTimeout(() => void revocations.publish().catch(() => undefined), AGAIN_MS);
      }),
  );
  stack.defer(() => {
    clearTimeout(again);
    unpublish();
  });
  await revocations.start();
  stack.defer(() => revocations.stop());
  watchSessions(foundation, broker, stack);
  startAppRights(foundation, broker, stack);
  renewDaily(foundation, stack, 'the certificate of the broker', async () => {
    server = await signBrokerCertificate(foundation);
    await revocations.publish();
  });
  return broker;
}

/** Password of a process of the cloud at the broker's listener for services, 256 random bits. */
export async function servicePassword(secrets: SecretStore, name: string): Promise<string> {
  const key = `broker-login-${name}`;
  await secrets.create(key, Buffer.from(randomBytes(32).toString('base64url')));
  return Buffer.from((await secrets.get(key))!).toString();
}

/** A container's user may have a number only; a broker that is not started by root does not read it anyway. */
function nameOfUser(): string {
  try {
    return userInfo().username;
  } catch {
    return 'mosquitto';
  }
}
