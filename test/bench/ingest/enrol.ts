import { randomBytes, randomUUID } from 'node:crypto';
import { keyId, sharedSecretContext } from '../../../cloud/src/credentials/shared-secrets.ts';
import { makeCsr } from '../../support/certificate-requests.ts';
import type { BenchCloud } from '../bench-cloud.ts';
import type { FleetDevice, FleetPlan } from './fleet-plan.ts';

const DAY_MS = 86_400_000;
const componentType = 'soil-moisture';

/** Devices that are claimed already: certificates straight from the authority, rows straight into the tables. */
export async function enrolFleet(cloud: BenchCloud, count: number): Promise<FleetPlan> {
  const { secrets, authority } = await cloud.openKeys();
  const hardware = { version: 'bench', variant: 'a' };
  const ids = await prepareTables(cloud, hardware);
  const devices: FleetDevice[] = [];
  for (let i = 0; i < count; i++) {
    const deviceUuid = randomUUID();
    const cpuSerial = randomBytes(8).toString('hex');
    const secret = randomBytes(32);
    const { der, keyPem } = await makeCsr();
    const issued = await authority.signDevice({ csr: der, commonName: deviceUuid, validityMs: DAY_MS });
    const { rows } = await cloud.database.query<{ component_id: number }>(
      `with d as (
         insert into devices (device_uuid, cpu_serial, hardware_variant_id, life_cycle)
         values ($1, $2, $3, 'ACTIVE') returning id
       ), a as (
         insert into assignments (device_id, number, user_id) select d.id, 1, $4 from d returning id, device_id
       ), s as (
         insert into assignment_secrets (assignment_id, n, sealed) select a.id, 1, $5 from a
       ), c as (
         insert into certificates (device_id, assignment_id, serial, spki_hash, chain_pem, not_before, not_after,
           status, request_hash, used_at)
         select a.device_id, a.id, $6, $7, $8, now(), now() + interval '1 day', 'ACTIVE', $7, now() from a
       )
       insert into attached_components (device_id, assignment_id, component_type_id, pins, config, attached_at)
       select a.device_id, a.id, $9, '{}', '{"channel":0}', now() - interval '1 hour' from a
       returning id as component_id`,
      [
        deviceUuid,
        cpuSerial,
        ids.variant,
        ids.owner,
        await secrets.seal(secret, sharedSecretContext(deviceUuid, 1, 1)),
        issued.serial,
        randomBytes(32).toString('hex'),
        issued.chainPem,
        ids.componentType,
      ],
    );
    devices.push({
      deviceUuid,
      cpuSerial,
      componentId: rows[0]!.component_id,
      secret: secret.toString('base64'),
      keyPem,
      chainPem: issued.chainPem,
      certificateSerial: issued.serial,
    });
  }
  return {
    mqttPort: cloud.mqttPort,
    rootPem: authority.caCertificates.root,
    userEmail: cloud.ownerEmail,
    kid: keyId(1, 1),
    hardware,
    componentType,
    metric: 'moisture',
    devices,
  };
}

async function prepareTables(cloud: BenchCloud, hardware: { version: string; variant: string }) {
  const one = async (text: string, values: readonly unknown[]) =>
    (await cloud.database.query<{ id: number }>(text, [...values])).rows[0]!.id;
  return {
    variant: await one(
      'insert into hardware_variants (hardware_version, hardware_variant) values ($1, $2) returning id',
      [hardware.version, hardware.variant],
    ),
    owner: await one('select id from users where email = $1', [cloud.ownerEmail]),
    componentType: await one('select id from supported_components where component_type = $1', [
      componentType,
    ]),
  };
}
