import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { deviceApiPaths } from '@ares/protocol/http/device';
import mqtt from 'mqtt';
import { afterAll, expect, it } from 'vitest';
import { eventually, temporaryHome } from '../support/ares-process.ts';
import { burstDefinition } from '../support/burst.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type ClaimedDevice, claimWith } from '../support/fault-device.ts';

const LIFE_MS = 20_000;
const home = temporaryHome();
let cluster: Cluster | undefined;
let device: ClaimedDevice | undefined;

afterAll(async () => {
  await device?.pi.stop();
  await cluster?.stop();
  home.remove();
});

interface Stored {
  readonly privateKeyPem: string;
  readonly apiUrl: string;
  readonly answer: {
    readonly certificateSerial: string;
    readonly certificateChain: string;
    readonly notAfter: number;
    readonly cloudTime: number;
    readonly mqtt: { readonly host: string; readonly port: number };
  };
}

it('a device renews its certificate at two thirds of its life, works on, and the old one opens nothing', async () => {
  const cloud = await startCluster(join(home.path, 'cloud-home'), {
    ARES_CERTIFICATE_SECONDS: String(LIFE_MS / 1_000),
  });
  cluster = cloud;
  const claimed = await claimWith({
    folder: join(home.path, 'device'),
    cluster: cloud,
    definition: burstDefinition(500),
  });
  device = claimed;
  const stored = () =>
    JSON.parse(readFileSync(join(claimed.pi.stateDir, 'credentials.json'), 'utf8')) as Stored;
  const certificates = () =>
    cloud.sql<{ serial: string; used: boolean }>(
      'select serial, used_at is not null as used from certificates order by id',
    );
  const newestReading = async () =>
    (await cloud.sql<{ time: Date }>('select max(time) as time from telemetry_data'))[0]?.time.getTime() ?? 0;
  const presence = async () =>
    (await cloud.owner.state({ params: { id: claimed.deviceUuid } })).device_status;

  const first = stored();
  const presences = new Set<string>();
  await eventually(
    'the second certificate is in use',
    async () => {
      presences.add(await presence());
      return (await certificates())[1]?.used === true;
    },
    LIFE_MS,
  );
  const second = stored();
  expect(second.answer.certificateSerial).not.toBe(first.answer.certificateSerial);
  expect(second.privateKeyPem).not.toBe(first.privateKeyPem);
  const part = (second.answer.cloudTime - first.answer.cloudTime) / LIFE_MS;
  expect(part).toBeGreaterThan(0.4);
  // How late a busy machine may be says nothing; it came in time.
  expect(part).toBeLessThan(1);

  // It would still be valid by its dates.
  expect(first.answer.notAfter - Date.now()).toBeGreaterThan(1_000);
  expect(await brokerSays(first, claimed.deviceUuid)).toMatch(/not authorized/i);
  expect(await apiSays(first, claimed.deviceUuid)).toBe(401);
  expect(await apiSays(second, claimed.deviceUuid)).toBe(200);

  await eventually(
    'readings are stored beyond the end of the first certificate',
    async () => {
      presences.add(await presence());
      return (await newestReading()) > first.answer.notAfter;
    },
    LIFE_MS,
  );
  expect(presences).toEqual(new Set(['ONLINE']));
  expect(cloud.deaths).toEqual([]);
});

function tlsOf({ privateKeyPem, answer }: Stored) {
  return { key: privateKeyPem, cert: answer.certificateChain, ca: [...cluster!.trust.caCertificates] };
}

/** What becomes of a connection with these credentials. */
async function brokerSays(credentials: Stored, clientId: string): Promise<string> {
  const { host, port } = credentials.answer.mqtt;
  try {
    const client = await mqtt.connectAsync({
      protocol: 'mqtts',
      host,
      port,
      clientId,
      keepalive: 30,
      reconnectPeriod: 0,
      ...tlsOf(credentials),
    });
    await client.endAsync(true);
    return 'welcome';
  } catch (error) {
    return (error as Error).message;
  }
}

/** Status of a request for the own components. */
function apiSays(credentials: Stored, deviceUuid: string): Promise<number> {
  const { hostname, port } = new URL(credentials.apiUrl);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connectTls({ host: hostname, port: Number(port), ...tlsOf(credentials) }, () =>
      socket.write(
        `GET ${deviceApiPaths.components(deviceUuid)} HTTP/1.1\r\nhost: ${hostname}:${port}\r\nconnection: close\r\n\r\n`,
      ),
    );
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(Number(text.split(' ')[1])));
  });
}
