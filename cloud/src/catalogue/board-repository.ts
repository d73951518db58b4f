import { sql } from 'kysely';
import { type Page, toPage } from '../database/paging.ts';
import type { Queries } from '../ports/database.ts';
import type { HardwareVariant, RuleQuery, VariantPinRule, VariantQuery, Versioned } from './types.ts';

/** Hardware variants and their pin rules. */
export const boardRepository = {
  async listVariants(queries: Queries, query: VariantQuery): Promise<Page<Versioned<HardwareVariant>>> {
    const { hardwareVersion, after, limit } = query;
    const rows = await variants(queries)
      .$if(hardwareVersion !== undefined, (q) => q.where('hardware_version', '=', hardwareVersion!))
      .$if(after !== undefined, (q) =>
        q.where(sql<boolean>`(hardware_version, hardware_variant) > (${after![0]}, ${after![1]})`),
      )
      .orderBy('hardware_version')
      .orderBy('hardware_variant')
      .limit(limit + 1)
      .execute();
    return toPage(rows, limit, {
      positionOf: (row) => [row.hardware_version, row.hardware_variant],
      toItem: toVariant,
    });
  },

  async findVariant(queries: Queries, variantId: number): Promise<Versioned<HardwareVariant> | undefined> {
    const row = await variants(queries).where('id', '=', variantId).executeTakeFirst();
    return row && toVariant(row);
  },

  async findVariantId(
    queries: Queries,
    name: { readonly hardwareVersion: string; readonly hardwareVariant: string },
  ): Promise<number | undefined> {
    const row = await queries
      .selectFrom('hardware_variants')
      .select('id')
      .where('hardware_version', '=', name.hardwareVersion)
      .where('hardware_variant', '=', name.hardwareVariant)
      .executeTakeFirst();
    return row?.id;
  },

  /** Locks the row until the transaction ends. */
  async lockVariant(queries: Queries, variantId: number): Promise<Versioned<HardwareVariant> | undefined> {
    const row = await variants(queries).where('id', '=', variantId).forUpdate().executeTakeFirst();
    return row && toVariant(row);
  },

  async describe(queries: Queries, variantId: number, description: string | null): Promise<void> {
    await queries
      .updateTable('hardware_variants')
      .set((column) => ({ description, version: column('version', '+', 1) }))
      .where('id', '=', variantId)
      .execute();
  },

  async hasDevices(queries: Queries, variantId: number): Promise<boolean> {
    const row = await queries
      .selectFrom('devices')
      .select('id')
      .where('hardware_variant_id', '=', variantId)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  },

  async removeVariant(queries: Queries, variantId: number): Promise<void> {
    await queries.deleteFrom('hardware_variants').where('id', '=', variantId).execute();
  },

  async listRules(queries: Queries, query: RuleQuery): Promise<Page<Versioned<VariantPinRule>>> {
    const { hardwareVersion, hardwareVariant, componentType, after, limit } = query;
    const rows = await rules(queries)
      .$if(hardwareVersion !== undefined, (q) => q.where('h.hardware_version', '=', hardwareVersion!))
      .$if(hardwareVariant !== undefined, (q) => q.where('h.hardware_variant', '=', hardwareVariant!))
      .$if(componentType !== undefined, (q) => q.where('p.component_type', '=', componentType!))
      .$if(after !== undefined, (q) => q.where('p.id', '>', after!))
      .orderBy('p.id')
      .limit(limit + 1)
      .execute();
    return toPage(rows, limit, { positionOf: ({ id }) => id, toItem: toRule });
  },

  async findRule(queries: Queries, configId: number): Promise<Versioned<VariantPinRule> | undefined> {
    const row = await rules(queries).where('p.id', '=', configId).executeTakeFirst();
    return row && toRule(row);
  },

  /** Locks the rule until the transaction ends. */
  async lockRule(queries: Queries, configId: number): Promise<Versioned<VariantPinRule> | undefined> {
    const row = await rules(queries).where('p.id', '=', configId).forUpdate('p').executeTakeFirst();
    return row && toRule(row);
  },

  /** `undefined` when there is one for this line. */
  async insertRule(
    queries: Queries,
    rule: Pick<VariantPinRule, 'variantId' | 'componentType' | 'role' | 'pins'>,
  ): Promise<number | undefined> {
    const row = await queries
      .insertInto('device_pin_configs')
      .values({
        hardware_variant_id: rule.variantId,
        component_type: rule.componentType,
        role: rule.role,
        pins: [...rule.pins],
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .executeTakeFirst();
    return row?.id;
  },

  async updateRule(queries: Queries, configId: number, pins: readonly number[]): Promise<void> {
    await queries
      .updateTable('device_pin_configs')
      .set((column) => ({ pins: [...pins], version: column('version', '+', 1) }))
      .where('id', '=', configId)
      .execute();
  },

  async removeRule(queries: Queries, configId: number): Promise<void> {
    await queries.deleteFrom('device_pin_configs').where('id', '=', configId).execute();
  },

  /** Lines of the variant's devices on which this line of the type sits now. */
  async pinsInUse(queries: Queries, rule: VariantPinRule): Promise<readonly number[]> {
    const rows = await queries
      .selectFrom('attached_components as c')
      .innerJoin('devices as d', 'd.id', 'c.device_id')
      .innerJoin('assignments as a', 'a.id', 'c.assignment_id')
      .innerJoin('supported_components as s', 's.id', 'c.component_type_id')
      .select(sql<number>`(c.pins ->> ${rule.role})::integer`.as('pin'))
      .distinct()
      .where('d.hardware_variant_id', '=', rule.variantId)
      .where('s.component_type', '=', rule.componentType)
      .where('c.detached_at', 'is', null)
      .where('a.ended_at', 'is', null)
      .execute();
    return rows.map(({ pin }) => pin);
  },
};

function variants(queries: Queries) {
  return queries
    .selectFrom('hardware_variants')
    .select(['id', 'hardware_version', 'hardware_variant', 'description', 'created_at', 'version']);
}

function rules(queries: Queries) {
  return queries
    .selectFrom('device_pin_configs as p')
    .innerJoin('hardware_variants as h', 'h.id', 'p.hardware_variant_id')
    .select(['p.id', 'p.hardware_variant_id', 'h.hardware_version', 'h.hardware_variant'])
    .select(['p.component_type', 'p.role', 'p.pins', 'p.version']);
}

type VariantRow = Awaited<ReturnType<ReturnType<typeof variants>['execute']>>[number];
type RuleRow = Awaited<ReturnType<ReturnType<typeof rules>['execute']>>[number];

const toVariant = (row: VariantRow): Versioned<HardwareVariant> => ({
  variantId: row.id,
  hardwareVersion: row.hardware_version,
  hardwareVariant: row.hardware_variant,
  description: row.description,
  createdAt: row.created_at,
  version: row.version,
});

const toRule = (row: RuleRow): Versioned<VariantPinRule> => ({
  configId: row.id,
  variantId: row.hardware_variant_id,
  hardwareVersion: row.hardware_version,
  hardwareVariant: row.hardware_variant,
  componentType: row.component_type,
  role: row.role,
  pins: row.pins,
  version: row.version,
});
