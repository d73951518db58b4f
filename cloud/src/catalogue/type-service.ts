import {
  type CatalogueEntry,
  type ComponentTypeChange,
  type ComponentTypeDefinition,
  ProblemError,
} from '@ares/protocol';
import { z } from 'zod';
import type { Caller } from '../accounts/types.ts';
import { writeAudit } from '../audit/audit-log.ts';
import { hardwareRepository } from '../components/hardware-repository.ts';
import { componentRepository } from '../components/repository.ts';
import { assertMatch, type IfMatch } from '../http/conditional.ts';
import { decodeCursor, type Page } from '../http/paging.ts';
import type { ComponentsChangedPublisher } from '../ports/components-changed.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import { typeRepository as repository, type TypeRow } from './type-repository.ts';
import type { TypeQuery, Versioned } from './types.ts';

type By = { readonly caller: Caller; readonly source: string };

export type TypeService = ReturnType<typeof createTypeService>;

/** The catalogue of component types. Those that come with Ares change with its releases only. */
export function createTypeService(ports: {
  readonly database: CloudDatabase;
  readonly publisher: ComponentsChangedPublisher;
}) {
  const { database, publisher } = ports;
  const { db } = database;

  const audit = (trx: Queries, { caller, source }: By, verb: 'add' | 'update' | 'delete', name: string) =>
    writeAudit(trx, {
      actorUserId: caller.userId,
      action: `component-type.${verb}`,
      objectType: 'component-type',
      objectId: name,
      source,
    });

  return {
    /** @throws {ProblemError} INVALID_REQUEST */
    list({
      cursor,
      ...query
    }: Omit<TypeQuery, 'after'> & { readonly cursor?: string | undefined }): Promise<Page<CatalogueEntry>> {
      const after = cursor === undefined ? {} : { after: decodeCursor(z.string(), cursor) };
      return repository.list(db, { ...query, ...after });
    },

    /** @throws {ProblemError} NOT_FOUND */
    async get(componentType: string): Promise<Versioned<CatalogueEntry>> {
      return toEntry((await repository.find(db, componentType)) ?? unknownType(componentType));
    },

    /** @throws {ProblemError} CONFLICT when the type is known */
    async add(by: By & { readonly definition: ComponentTypeDefinition }): Promise<CatalogueEntry> {
      const { definition } = by;
      await db.transaction().execute(async (trx) => {
        if (!(await componentRepository.saveType(trx, definition, false))) {
          throw new ProblemError(
            'CONFLICT',
            `The component type ${definition.componentType} is in the catalogue already: choose another name.`,
          );
        }
        await hardwareRepository.allowEverywhere(trx, definition);
        await audit(trx, by, 'add', definition.componentType);
      });
      return { ...definition, builtIn: false };
    },

    /**
     * What sits on devices keeps its lines and its metrics, so that what is stored keeps its meaning.
     * @throws {ProblemError} NOT_FOUND, CONFLICT, PRECONDITION_FAILED
     */
    async update(
      by: By & {
        readonly componentType: string;
        readonly change: ComponentTypeChange;
        readonly ifMatch: IfMatch;
      },
    ): Promise<Versioned<CatalogueEntry>> {
      const { componentType, change, ifMatch } = by;
      const definition = { componentType, ...change };
      const { version, devices } = await db.transaction().execute(async (trx) => {
        const known = (await repository.lock(trx, componentType)) ?? unknownType(componentType);
        assertMatch(ifMatch, known.version);
        assertOwnType(known);
        const use = await repository.use(trx, known.typeId);
        if (use !== 'never') assertCompatible(known, definition);
        const saved = await repository.update(trx, known.typeId, definition);
        await hardwareRepository.allowEverywhere(trx, definition);
        const told = await repository.raiseRevisions(trx, known.typeId);
        for (const { deviceUuid } of told) await database.notify(trx, 'device', { deviceUuid });
        await audit(trx, by, 'update', componentType);
        return { version: saved, devices: told };
      });
      for (const device of devices) await publisher.publish(device);
      return { ...definition, builtIn: false, version };
    },

    /** @throws {ProblemError} NOT_FOUND, CONFLICT */
    delete: (by: By & { readonly componentType: string }): Promise<void> =>
      db.transaction().execute(async (trx) => {
        const known = (await repository.lock(trx, by.componentType)) ?? unknownType(by.componentType);
        assertOwnType(known);
        const use = await repository.use(trx, known.typeId);
        if (use !== 'never') {
          throw new ProblemError(
            'CONFLICT',
            use === 'now'
              ? `Devices have a ${by.componentType}: detach it from them first.`
              : `Readings of a ${by.componentType} may still be stored: it stays in the catalogue.`,
          );
        }
        await repository.remove(trx, known);
        await audit(trx, by, 'delete', by.componentType);
      }),
  };
}

function toEntry({ typeId: _, ...entry }: TypeRow): Versioned<CatalogueEntry> {
  return entry;
}

function unknownType(componentType: string): never {
  throw new ProblemError('NOT_FOUND', `There is no component type ${componentType}.`);
}

function assertOwnType({ builtIn, componentType }: TypeRow): void {
  if (!builtIn) return;
  throw new ProblemError('CONFLICT', `${componentType} comes with Ares and changes with its releases only.`);
}

/** @throws {ProblemError} CONFLICT */
function assertCompatible(known: TypeRow, changed: ComponentTypeDefinition): void {
  const sameLines = known.pinRoles.join() === changed.pinRoles.join();
  const missing = known.metrics.find(
    ({ metric, unit }) => !changed.metrics.some((other) => other.metric === metric && other.unit === unit),
  );
  if (sameLines && missing === undefined && known.kind === changed.kind) return;
  throw new ProblemError(
    'CONFLICT',
    missing === undefined
      ? `Devices have, or had, a ${known.componentType}: its kind and its lines stay.`
      : `Devices have, or had, a ${known.componentType}: its metric ${missing.metric} stays, in ${missing.unit}.`,
  );
}
