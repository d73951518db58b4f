import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { freePort } from '../../../test/support/ares-process.ts';
import {
  type MosquittoServer,
  mosquittoPlugin,
  startMosquittoServer,
} from '../../../test/support/mosquitto-server.ts';
import {
  directMosquitto,
  type MosquittoBroker,
  type MosquittoOptions,
} from '../../src/adapters/mosquitto-broker.ts';
import { canaryIssuer } from '../../src/adapters/mosquitto-publisher.ts';
import { openMqttBrokerLink } from '../../src/adapters/mqtt-broker-link.ts';
import { deviceAcl, serviceAcl } from '../../src/broker/acl.ts';
import type { BrokerLink } from '../../src/ports/broker-link.ts';
import type { CertificateAuthority } from '../../src/ports/certificate-authority.ts';
import type { BrokerTls } from '../../src/ports/device-broker.ts';
import { silentLogger, until } from './quiet.ts';

/** A real Mosquitto and the part of the cloud that directs it. */
export interface DirectedMosquitto {
  readonly broker: MosquittoBroker;
  /** Another process takes over the direction; `online` is what the tables think. */
  redirect(online: readonly string[]): Promise<MosquittoBroker>;
  readonly server: MosquittoServer;
  readonly folder: string;
  /** The listener for devices. */
  readonly port: number;
  /** The listener for the cloud's processes. */
  readonly servicePort: number;
  /** Of every process of the cloud. */
  readonly password: string;
  /** With every right. */
  readonly link: BrokerLink;
  /** A process of the cloud, with the rights of its name. */
  openLink(commonName: string): Promise<BrokerLink>;
  stop(): Promise<void>;
}

const TESTER = 'ares-tester';

export async function startDirectedMosquitto(
  options: Pick<MosquittoOptions, 'security' | 'clock' | 'accepted' | 'config'> & {
    readonly folder: string;
    readonly ca: CertificateAuthority;
    readonly tls: Omit<BrokerTls, 'crls'>;
  },
): Promise<DirectedMosquitto> {
  const { folder, ca, tls } = options;
  const [port, servicePort] = [await freePort(), await freePort()];
  const password = randomBytes(32).toString('base64url');
  const names = [TESTER, 'ares-ingest', 'ares-api', 'ares-cloud', 'ares-operator', 'ares-monitor'];
  const direct = (online: readonly string[]) =>
    directMosquitto({
      ...options,
      settings: {
        folder,
        user: userInfo().username,
        devices: { bind: '127.0.0.1', port },
        services: { bind: '127.0.0.1', port: servicePort },
        dynamicSecurity: mosquittoPlugin(),
      },
      host: '127.0.0.1',
      rootPem: tls.rootPem,
      acls: { devices: deviceAcl(), services: `${serviceAcl()}\nuser ${TESTER}\ntopic readwrite #\n` },
      logins: names.map((name) => ({ name, password })),
      credentials: () => ca.signService({ commonName: 'ares-broker' }),
      issueCanary: canaryIssuer(ca, () => randomBytes(8).toString('hex')),
      online: async () => [...online],
      log: silentLogger,
    });
  const broker = await direct([]);
  await broker.setTls({ ...tls, crls: await ca.crls(await broker.turnCanaries()) });
  const server = await startMosquittoServer(folder, port);
  await until(() => broker.connected(), 'the way to the broker');
  const links: BrokerLink[] = [];
  const openLink = async (commonName: string) => {
    const link = await openMqttBrokerLink({
      config: {
        host: '127.0.0.1',
        port: servicePort,
        commonName,
        password,
        rootPem: tls.rootPem,
        sharedSubscriptions: true,
        ...(await ca.signService({ commonName })),
      },
      log: silentLogger,
    });
    links.push(link);
    return link;
  };
  let current = broker;
  return {
    broker,
    async redirect(online) {
      await current.close();
      current = await direct(online);
      await current.setTls({ ...tls, crls: await ca.crls(await current.turnCanaries()) });
      await until(() => current.connected(), 'the way to the broker');
      return current;
    },
    server,
    folder,
    port,
    servicePort,
    password,
    link: await openLink(TESTER),
    openLink,
    async stop() {
      await current.close();
      await Promise.all(links.map((link) => link.close()));
      await server.stop();
    },
  };
}
