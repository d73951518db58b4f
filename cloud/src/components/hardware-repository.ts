import { anyHeaderPin, type ComponentTypeDefinition, type PinRule } from '@ares/protocol';
import type { Queries } from '../ports/database.ts';

/** Hardware versions with their variants, and what may sit on which of their pins. */
export const hardwareRepository = {
  /** The variant's row; a new one allows every component type on every line of the header. */
  async ensureVariant(
    queries: Queries,
    variant: { readonly hardwareVersion: string; readonly hardwareVariant: string },
  ): Promise<number> {
    const made = await hardwareRepository.insertVariant(queries, variant);
    if (made !== undefined) return made;
    const known = await queries
      .selectFrom('hardware_variants')
      .select('id')
      .where('hardware_version', '=', variant.hardwareVersion)
      .where('hardware_variant', '=', variant.hardwareVariant)
      .executeTakeFirstOrThrow();
    return known.id;
  },

  /** The new variant's row, or `undefined` when it is known. */
  async insertVariant(
    queries: Queries,
    variant: {
      readonly hardwareVersion: string;
      readonly hardwareVariant: string;
      readonly description?: string | null;
    },
  ): Promise<number | undefined> {
    const made = await queries
      .insertInto('hardware_variants')
      .values({
        hardware_version: variant.hardwareVersion,
        hardware_variant: variant.hardwareVariant,
        description: variant.description ?? null,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .executeTakeFirst();
    if (made === undefined) return undefined;
    const types = await queries.selectFrom('supported_components').select('definition').execute();
    await addPinRules(queries, [made.id], anyHeaderPin(types.map(({ definition }) => definition)));
    return made.id;
  },

  /** A component type that is new to the catalogue may sit on any line of every variant known so far. */
  async allowEverywhere(queries: Queries, type: ComponentTypeDefinition): Promise<void> {
    const variants = await queries.selectFrom('hardware_variants').select('id').execute();
    const ids = variants.map(({ id }) => id);
    await addPinRules(queries, ids, anyHeaderPin([type]));
  },

  async pinRules(queries: Queries, deviceId: number): Promise<PinRule[]> {
    const rows = await queries
      .selectFrom('device_pin_configs as p')
      .innerJoin('devices as d', 'd.hardware_variant_id', 'p.hardware_variant_id')
      .select(['p.component_type', 'p.role', 'p.pins'])
      .where('d.id', '=', deviceId)
      .orderBy('p.component_type')
      .orderBy('p.role')
      .execute();
    return rows.map(({ component_type, role, pins }) => ({ componentType: component_type, role, pins }));
  },
};

async function addPinRules(
  queries: Queries,
  variantIds: readonly number[],
  rules: readonly PinRule[],
): Promise<void> {
  const rows = variantIds.flatMap((id) =>
    rules.map(({ componentType, role, pins }) => ({
      hardware_variant_id: id,
      component_type: componentType,
      role,
      pins: [...pins],
    })),
  );
  if (rows.length === 0) return;
  await queries
    .insertInto('device_pin_configs')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
