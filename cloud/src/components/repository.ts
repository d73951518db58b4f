import type { AttachedComponent, ComponentTypeDefinition } from '@ares/protocol';
import type { Queries } from '../ports/database.ts';
import type { ComponentEdit, NewComponent } from './types.ts';

/** The catalogue and what is attached. */
export const componentRepository = {
  async types(queries: Queries): Promise<ComponentTypeDefinition[]> {
    const rows = await queries
      .selectFrom('supported_components')
      .select('definition')
      .orderBy('component_type')
      .execute();
    return rows.map(({ definition }) => definition);
  },

  /**
   * Adds a type and its metrics. A built-in one that is known is brought to the definition of this release, so
   * that old readings keep their metric rows; any other known one is left as it is.
   * @returns whether it was new
   */
  async saveType(queries: Queries, definition: ComponentTypeDefinition, builtIn: boolean): Promise<boolean> {
    const known = await queries
      .selectFrom('supported_components')
      .select(['id', 'built_in'])
      .where('component_type', '=', definition.componentType)
      .executeTakeFirst();
    if (known !== undefined && !(builtIn && known.built_in)) return false;
    const text = JSON.stringify(definition);
    const row = await queries
      .insertInto('supported_components')
      .values({ component_type: definition.componentType, definition: text, built_in: builtIn })
      .onConflict((conflict) => conflict.column('component_type').doUpdateSet({ definition: text }))
      .returning('id')
      .executeTakeFirstOrThrow();
    if (definition.metrics.length > 0) {
      await queries
        .insertInto('metrics')
        .values(definition.metrics.map(({ metric }) => ({ component_type_id: row.id, metric })))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    return known === undefined;
  },

  /** Locks the device's row until the transaction ends, so that changes of its components come one after another. */
  async lockDevice(
    queries: Queries,
    deviceId: number,
  ): Promise<{ assignmentId: number | null; revision: number } | undefined> {
    const device = await queries
      .selectFrom('devices')
      .select(['id', 'components_revision'])
      .where('id', '=', deviceId)
      .forUpdate()
      .executeTakeFirst();
    if (device === undefined) return undefined;
    const assignment = await queries
      .selectFrom('assignments')
      .select('id')
      .where('device_id', '=', deviceId)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    return { assignmentId: assignment?.id ?? null, revision: device.components_revision };
  },

  async attached(queries: Queries, assignmentId: number): Promise<AttachedComponent[]> {
    const rows = await queries
      .selectFrom('attached_components as c')
      .innerJoin('supported_components as s', 's.id', 'c.component_type_id')
      .select(['c.id', 's.component_type', 'c.name', 'c.pins', 'c.config'])
      .where('c.assignment_id', '=', assignmentId)
      .where('c.detached_at', 'is', null)
      .orderBy('c.id')
      .execute();
    return rows.map((row) => ({
      componentId: row.id,
      componentType: row.component_type,
      ...(row.name !== null && { name: row.name }),
      pins: row.pins,
      config: row.config,
    }));
  },

  /** @returns the new component's id, or `undefined` when there is no such type */
  async attach(
    queries: Queries,
    place: { readonly deviceId: number; readonly assignmentId: number },
    component: NewComponent,
  ): Promise<number | undefined> {
    const type = await queries
      .selectFrom('supported_components')
      .select('id')
      .where('component_type', '=', component.componentType)
      .executeTakeFirst();
    if (type === undefined) return undefined;
    const { id } = await queries
      .insertInto('attached_components')
      .values({
        device_id: place.deviceId,
        assignment_id: place.assignmentId,
        component_type_id: type.id,
        name: component.name ?? null,
        pins: JSON.stringify(component.pins),
        config: JSON.stringify(component.config),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    return id;
  },

  /** @returns the version of its edits; `undefined` when it is not there */
  async version(
    queries: Queries,
    component: { readonly assignmentId: number; readonly componentId: number },
  ): Promise<number | undefined> {
    const row = await queries
      .selectFrom('attached_components')
      .select('version')
      .where('id', '=', component.componentId)
      .where('assignment_id', '=', component.assignmentId)
      .where('detached_at', 'is', null)
      .executeTakeFirst();
    return row?.version;
  },

  /** Changes what is given. */
  async edit(queries: Queries, componentId: number, { name, config }: ComponentEdit): Promise<void> {
    await queries
      .updateTable('attached_components')
      .set((column) => ({
        version: column('version', '+', 1),
        ...(name !== undefined && { name }),
        ...(config !== undefined && { config: JSON.stringify(config) }),
      }))
      .where('id', '=', componentId)
      .execute();
  },

  /** @returns the type of what was detached */
  async detach(
    queries: Queries,
    component: { readonly assignmentId: number; readonly componentId: number; readonly at: Date },
  ): Promise<boolean> {
    const { numUpdatedRows } = await queries
      .updateTable('attached_components')
      .set({ detached_at: component.at })
      .where('id', '=', component.componentId)
      .where('assignment_id', '=', component.assignmentId)
      .where('detached_at', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  async raiseRevision(queries: Queries, deviceId: number): Promise<number> {
    const { components_revision } = await queries
      .updateTable('devices')
      .set((column) => ({ components_revision: column('components_revision', '+', 1) }))
      .where('id', '=', deviceId)
      .returning('components_revision')
      .executeTakeFirstOrThrow();
    return components_revision;
  },
};
