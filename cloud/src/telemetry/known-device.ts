import { checkPins } from '@ares/protocol';
import { keyId, sharedSecretContext } from '../credentials/shared-secrets.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import { createMac } from './device-keys.ts';
import type { DirectoryRows } from './directory-repository.ts';
import type { DeviceKey, KnownBoot, KnownComponent, KnownDevice } from './types.ts';

type DeviceRow = DirectoryRows['devices'][number];

/** How long a replaced secret is still accepted: a device fetches the new one at its next renewal. */
const KEY_OVERLAP_MS = 86_400_000;

/** One device out of the rows of many. @throws {SecretStoreError} when a secret cannot be opened */
export async function toKnownDevice(
  row: DeviceRow,
  rows: DirectoryRows,
  secrets: Pick<SecretStore, 'open'>,
  now: number,
): Promise<KnownDevice> {
  return {
    deviceId: row.deviceId,
    deviceUuid: row.deviceUuid,
    cpuSerial: row.cpuSerial,
    hardwareVersion: row.hardwareVersion,
    hardwareVariant: row.hardwareVariant,
    lifeCycle: row.lifeCycle,
    assignment:
      row.assignmentId === null || row.assignmentNumber === null || row.userEmail === null
        ? undefined
        : {
            id: row.assignmentId,
            number: row.assignmentNumber,
            userEmail: row.userEmail,
            formerEmails: row.formerEmails ?? [],
          },
    keys: await openKeys(row, rows, secrets, now),
    components: new Map(
      rows.components
        .filter(({ assignmentId }) => assignmentId === row.assignmentId)
        .map((component) => [component.componentId, toComponent(component, row.variantId, rows)]),
    ),
    boots: new Map(
      rows.boots
        .filter(({ device_id }) => device_id === row.deviceId)
        .map((boot) => [boot.boot_id, toBoot(boot)]),
    ),
  };
}

async function openKeys(
  row: DeviceRow,
  rows: DirectoryRows,
  secrets: Pick<SecretStore, 'open'>,
  now: number,
): Promise<DeviceKey[]> {
  const { assignmentId, assignmentNumber, deviceUuid } = row;
  if (assignmentId === null || assignmentNumber === null) return [];
  const mine = rows.secrets.filter(
    (secret) =>
      secret.assignmentId === assignmentId &&
      (secret.retiredAt === null || secret.retiredAt.getTime() + KEY_OVERLAP_MS > now),
  );
  return await Promise.all(
    mine.map(async ({ n, sealed, retiredAt }) => ({
      kid: keyId(assignmentNumber, n),
      mac: createMac(await secrets.open(sealed, sharedSecretContext(deviceUuid, assignmentNumber, n))),
      endsAt: retiredAt === null ? undefined : retiredAt.getTime() + KEY_OVERLAP_MS,
    })),
  );
}

function toComponent(
  row: DirectoryRows['components'][number],
  variantId: number,
  rows: DirectoryRows,
): KnownComponent {
  const { definition, componentId } = row;
  const { componentType } = definition;
  const problems = checkPins({
    components: [{ componentId, componentType, pins: row.pins }],
    types: [definition],
    rules: rows.rules.filter((rule) => rule.variantId === variantId),
  });
  const ids = new Map(
    rows.metrics.filter(({ typeId }) => typeId === row.typeId).map(({ metric, id }) => [metric, id]),
  );
  return {
    componentId,
    componentType,
    definition,
    attachedAt: row.attachedAt.getTime(),
    detachedAt: row.detachedAt?.getTime(),
    allowed: problems.length === 0,
    metrics: new Map(
      definition.metrics.flatMap(({ metric, min, max }) => {
        const metricId = ids.get(metric);
        return metricId === undefined ? [] : [[metric, { metricId, min, max }] as const];
      }),
    ),
  };
}

export function toBoot(row: DirectoryRows['boots'][number]): KnownBoot {
  return {
    id: row.id,
    bootId: row.boot_id,
    bootCount: row.boot_count,
    anchorMs: row.anchor_ms ?? undefined,
    bornAt: row.born_at?.getTime(),
    firstSeen: row.first_seen.getTime(),
  };
}
