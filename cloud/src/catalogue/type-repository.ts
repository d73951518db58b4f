import type { CatalogueEntry, ComponentTypeDefinition } from '@ares/protocol';
import { type SqlBool, sql } from 'kysely';
import { type Page, toPage } from '../database/paging.ts';
import type { Queries } from '../ports/database.ts';
import type { TypeQuery, Versioned } from './types.ts';

export type TypeRow = Versioned<CatalogueEntry> & { readonly typeId: number };

/** Component types. */
export const typeRepository = {
  async list(queries: Queries, query: TypeQuery): Promise<Page<CatalogueEntry>> {
    const { kind, builtIn, text, after, limit } = query;
    const rows = await types(queries)
      .$if(kind !== undefined, (q) => q.where(sql<SqlBool>`definition ->> 'kind' = ${kind}`))
      .$if(builtIn !== undefined, (q) => q.where('built_in', '=', builtIn!))
      .$if(text !== undefined, (q) => q.where(sql<SqlBool>`strpos(component_type, lower(${text})) > 0`))
      .$if(after !== undefined, (q) => q.where('component_type', '>', after!))
      .orderBy('component_type')
      .limit(limit + 1)
      .execute();
    return toPage(rows, limit, {
      positionOf: ({ component_type }) => component_type,
      toItem: ({ definition, built_in }) => ({ ...definition, builtIn: built_in }),
    });
  },

  async find(queries: Queries, componentType: string): Promise<TypeRow | undefined> {
    return toRow(await types(queries).where('component_type', '=', componentType).executeTakeFirst());
  },

  /** Locks the row until the transaction ends. */
  async lock(queries: Queries, componentType: string): Promise<TypeRow | undefined> {
    return toRow(
      await types(queries).where('component_type', '=', componentType).forUpdate().executeTakeFirst(),
    );
  },

  /** Whether it sits on a device now, or ever did. */
  async use(queries: Queries, typeId: number): Promise<'now' | 'before' | 'never'> {
    const { rows, attached } = await queries
      .selectFrom('attached_components')
      .select((is) => [
        is.fn.countAll<number>().as('rows'),
        is.fn.countAll<number>().filterWhere('detached_at', 'is', null).as('attached'),
      ])
      .where('component_type_id', '=', typeId)
      .executeTakeFirstOrThrow();
    return attached > 0 ? 'now' : rows > 0 ? 'before' : 'never';
  },

  /** @returns the new version */
  async update(queries: Queries, typeId: number, definition: ComponentTypeDefinition): Promise<number> {
    const { version } = await queries
      .updateTable('supported_components')
      .set((column) => ({ definition: JSON.stringify(definition), version: column('version', '+', 1) }))
      .where('id', '=', typeId)
      .returning('version')
      .executeTakeFirstOrThrow();
    if (definition.metrics.length > 0) {
      await queries
        .insertInto('metrics')
        .values(definition.metrics.map(({ metric }) => ({ component_type_id: typeId, metric })))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    return version;
  },

  async remove(queries: Queries, { typeId, componentType }: TypeRow): Promise<void> {
    await queries.deleteFrom('metrics').where('component_type_id', '=', typeId).execute();
    await queries.deleteFrom('device_pin_configs').where('component_type', '=', componentType).execute();
    await queries.deleteFrom('supported_components').where('id', '=', typeId).execute();
  },

  /** Devices on which the type sits have something new to load. */
  raiseRevisions(queries: Queries, typeId: number): Promise<{ deviceUuid: string; revision: number }[]> {
    return queries
      .updateTable('devices')
      .set((column) => ({ components_revision: column('components_revision', '+', 1) }))
      .where('id', 'in', (from) =>
        from
          .selectFrom('attached_components as c')
          .innerJoin('assignments as a', 'a.id', 'c.assignment_id')
          .where('c.component_type_id', '=', typeId)
          .where('c.detached_at', 'is', null)
          .where('a.ended_at', 'is', null)
          .select('c.device_id'),
      )
      .returning(['device_uuid as deviceUuid', 'components_revision as revision'])
      .execute();
  },
};

function types(queries: Queries) {
  return queries
    .selectFrom('supported_components')
    .select(['id', 'component_type', 'definition', 'built_in', 'version']);
}

function toRow(row: Awaited<ReturnType<ReturnType<typeof types>['executeTakeFirst']>>): TypeRow | undefined {
  return row && { ...row.definition, typeId: row.id, builtIn: row.built_in, version: row.version };
}
