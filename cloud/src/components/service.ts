import {
  type AttachedComponent,
  builtInComponentTypes,
  checkPins,
  type PinProblem,
  ProblemError,
} from '@ares/protocol';
import type { DeviceComponents } from '@ares/protocol/http/device';
import type { Caller } from '../accounts/types.ts';
import { writeAudit } from '../audit/audit-log.ts';
import type { DeviceAccess } from '../devices/types.ts';
import { assertMatch, type IfMatch } from '../http/conditional.ts';
import type { Clock } from '../ports/clock.ts';
import type { ComponentsChangedPublisher } from '../ports/components-changed.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import { hardwareRepository } from './hardware-repository.ts';
import { componentRepository } from './repository.ts';
import type { ComponentEdit, NewComponent } from './types.ts';

/** What one device's answer may hold; the device refuses more. */
const MAX_COMPONENTS = 64;
const MAX_CONFIG_BYTES = 4_096;

type Change = { readonly caller: Caller; readonly access: DeviceAccess; readonly source: string };

export type ComponentService = ReturnType<typeof createComponentService>;

/** The components attached to devices. Changes of one device come one after another, under the lock of its row. */
export function createComponentService(ports: {
  readonly database: CloudDatabase;
  readonly clock: Clock;
  readonly publisher: ComponentsChangedPublisher;
}) {
  const { database, clock, publisher } = ports;
  const { db } = database;

  /** Runs a change under the lock of the device, with revision, audit row and notice; then tells the device. */
  const change = async <T>(
    { caller, access, source }: Change,
    action: 'component.attach' | 'component.update' | 'component.detach',
    run: (trx: Queries, assignmentId: number) => Promise<{ componentId: number; result: T }>,
  ): Promise<T> => {
    const { deviceUuid } = access;
    const done = await db.transaction().execute(async (trx) => {
      const locked = await componentRepository.lockDevice(trx, access.deviceId);
      // Decided on the locked row: the device may have been given away since the policy looked.
      const assignmentId = locked?.assignmentId ?? null;
      if (assignmentId === null || assignmentId !== access.assignmentId) {
        throw new ProblemError('NOT_FOUND', `Nobody owns the device ${deviceUuid}, so it has no components.`);
      }
      const { componentId, result } = await run(trx, assignmentId);
      const revision = await componentRepository.raiseRevision(trx, access.deviceId);
      await writeAudit(trx, {
        actorUserId: caller.userId,
        action,
        objectType: 'component',
        objectId: String(componentId),
        detail: { deviceUuid, revision },
        source,
      });
      await database.notify(trx, 'device', { deviceUuid });
      return { result, revision };
    });
    await publisher.publish({ deviceUuid, revision: done.revision });
    return done.result;
  };

  return {
    /** Brings the built-in types of this release into the catalogue. Safe to run at each start, in each process. */
    async seedCatalogue(): Promise<void> {
      await db.transaction().execute(async (trx) => {
        for (const type of builtInComponentTypes) {
          const isNew = await componentRepository.saveType(trx, type, true);
          if (isNew) await hardwareRepository.allowEverywhere(trx, type);
        }
      });
    },

    /** The row of a hardware variant, made when it is new; for who registers devices. */
    ensureVariant: hardwareRepository.ensureVariant,

    list: async ({ assignmentId }: DeviceAccess): Promise<AttachedComponent[]> =>
      assignmentId === null ? [] : componentRepository.attached(db, assignmentId),

    /** @throws {ProblemError} NOT_FOUND, PIN_CONFLICT, PIN_NOT_ALLOWED, PIN_RESERVED, INVALID_REQUEST, CONFLICT */
    attach(input: Change & { readonly component: NewComponent }): Promise<AttachedComponent> {
      const { access, component } = input;
      assertSmall(component.config);
      return change(input, 'component.attach', async (trx, assignmentId) => {
        const place = { deviceId: access.deviceId, assignmentId };
        const componentId = await componentRepository.attach(trx, place, component);
        const types = await componentRepository.types(trx);
        if (componentId === undefined) {
          throw new ProblemError(
            'INVALID_REQUEST',
            `There is no component type ${component.componentType}; the catalogue has ${types.map((type) => type.componentType).join(', ')}.`,
          );
        }
        const components = await componentRepository.attached(trx, assignmentId);
        if (components.length > MAX_COMPONENTS) {
          throw new ProblemError(
            'CONFLICT',
            `A device has at most ${MAX_COMPONENTS} components: detach one first.`,
          );
        }
        const rules = await hardwareRepository.pinRules(trx, access.deviceId);
        const problem = checkPins({ components, types, rules }).find(
          (found) => found.componentId === componentId,
        );
        if (problem !== undefined) throw toProblemError(problem);
        return { componentId, result: components.find((item) => item.componentId === componentId)! };
      });
    },

    /** @throws {ProblemError} NOT_FOUND */
    async get(
      access: DeviceAccess,
      componentId: number,
    ): Promise<{ component: AttachedComponent; version: number }> {
      const { assignmentId } = access;
      const found = assignmentId === null ? [] : await componentRepository.attached(db, assignmentId);
      const component = found.find((one) => one.componentId === componentId);
      const version =
        component && (await componentRepository.version(db, { assignmentId: assignmentId!, componentId }));
      if (component === undefined || version === undefined) throw noComponent(componentId);
      return { component, version };
    },

    /** @throws {ProblemError} NOT_FOUND, INVALID_REQUEST, PRECONDITION_FAILED */
    edit(
      input: Change & {
        readonly componentId: number;
        readonly edit: ComponentEdit;
        readonly ifMatch: IfMatch;
      },
    ): Promise<{ component: AttachedComponent; version: number }> {
      const { componentId, edit, ifMatch } = input;
      if (edit.config !== undefined) assertSmall(edit.config);
      return change(input, 'component.update', async (trx, assignmentId) => {
        const version = await componentRepository.version(trx, { assignmentId, componentId });
        if (version === undefined) throw noComponent(componentId);
        assertMatch(ifMatch, version);
        await componentRepository.edit(trx, componentId, edit);
        const components = await componentRepository.attached(trx, assignmentId);
        const component = components.find((one) => one.componentId === componentId)!;
        return { componentId, result: { component, version: version + 1 } };
      });
    },

    /** @throws {ProblemError} NOT_FOUND */
    detach(input: Change & { readonly componentId: number }): Promise<void> {
      const { componentId } = input;
      return change(input, 'component.detach', async (trx, assignmentId) => {
        const at = new Date(clock.now());
        if (!(await componentRepository.detach(trx, { assignmentId, componentId, at }))) {
          throw noComponent(componentId);
        }
        return { componentId, result: undefined };
      });
    },

    /** What a device has to load, read in one snapshot. */
    forDevice: (deviceId: number): Promise<DeviceComponents> =>
      db
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute(async (trx) => {
          const device = await trx
            .selectFrom('devices as d')
            .leftJoin('assignments as a', (join) =>
              join.onRef('a.device_id', '=', 'd.id').on('a.ended_at', 'is', null),
            )
            .select(['d.components_revision', 'a.id as assignment_id'])
            .where('d.id', '=', deviceId)
            .executeTakeFirst();
          if (device?.assignment_id == null) {
            throw new ProblemError('NOT_FOUND', 'Nobody owns this device, so it has nothing to load.');
          }
          const items = await componentRepository.attached(trx, device.assignment_id);
          const used = new Set(items.map(({ componentType }) => componentType));
          const types = await componentRepository.types(trx);
          const rules = await hardwareRepository.pinRules(trx, deviceId);
          return {
            items,
            types: types.filter(({ componentType }) => used.has(componentType)),
            rules: rules.filter(({ componentType }) => used.has(componentType)),
            revision: device.components_revision,
          };
        }),
  };
}

/** @throws {ProblemError} INVALID_REQUEST */
function assertSmall(config: Record<string, unknown>): void {
  if (Buffer.byteLength(JSON.stringify(config)) <= MAX_CONFIG_BYTES) return;
  throw new ProblemError('INVALID_REQUEST', `config is larger than ${MAX_CONFIG_BYTES} bytes.`);
}

const noComponent = (componentId: number) =>
  new ProblemError('NOT_FOUND', `The device has no component ${componentId}.`);

function toProblemError({ code, detail }: PinProblem): ProblemError {
  switch (code) {
    case 'PIN_CONFLICT':
    case 'PIN_NOT_ALLOWED':
    case 'PIN_RESERVED':
      return new ProblemError(code, detail);
    case 'PIN_MISSING':
      return new ProblemError('INVALID_REQUEST', detail, { issues: [{ path: 'pins', message: detail }] });
    case 'TYPE_UNKNOWN':
      return new ProblemError('INVALID_REQUEST', detail, {
        issues: [{ path: 'componentType', message: detail }],
      });
  }
}
