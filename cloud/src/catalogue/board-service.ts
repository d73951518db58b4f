import { ProblemError } from '@ares/protocol';
import { z } from 'zod';
import type { Caller } from '../accounts/types.ts';
import { type AuditEntry, writeAudit } from '../audit/audit-log.ts';
import { hardwareRepository } from '../components/hardware-repository.ts';
import { assertMatch, type IfMatch } from '../http/conditional.ts';
import { decodeCursor, type Page } from '../http/paging.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import { boardRepository as repository } from './board-repository.ts';
import { typeRepository } from './type-repository.ts';
import type { HardwareVariant, RuleQuery, VariantPinRule, VariantQuery, Versioned } from './types.ts';

type By = { readonly caller: Caller; readonly source: string };
type Paged<Q> = Omit<Q, 'after'> & { readonly cursor?: string | undefined };

export type BoardService = ReturnType<typeof createBoardService>;

/** Hardware variants, and on which of their lines what may sit. What sits somewhere now stays allowed there. */
export function createBoardService({ database }: { readonly database: CloudDatabase }) {
  const { db } = database;

  const audit = (
    trx: Queries,
    { caller, source }: By,
    entry: Pick<AuditEntry, 'action' | 'objectType' | 'detail'> & { id: number },
  ) => {
    const { id, ...rest } = entry;
    return writeAudit(trx, { ...rest, actorUserId: caller.userId, objectId: String(id), source });
  };
  const variantOf = async (queries: Queries, variantId: number) =>
    (await repository.findVariant(queries, variantId)) ?? noVariant(variantId);
  const ruleOf = async (queries: Queries, configId: number) =>
    (await repository.findRule(queries, configId)) ?? noRule(configId);

  return {
    /** @throws {ProblemError} INVALID_REQUEST */
    listVariants({ cursor, ...query }: Paged<VariantQuery>): Promise<Page<Versioned<HardwareVariant>>> {
      const after =
        cursor === undefined ? {} : { after: decodeCursor(z.tuple([z.string(), z.string()]), cursor) };
      return repository.listVariants(db, { ...query, ...after });
    },

    /** @throws {ProblemError} NOT_FOUND */
    getVariant: (variantId: number) => variantOf(db, variantId),

    /** @throws {ProblemError} CONFLICT when it is known */
    addVariant: (
      by: By & Pick<HardwareVariant, 'hardwareVersion' | 'hardwareVariant' | 'description'>,
    ): Promise<HardwareVariant> =>
      db.transaction().execute(async (trx) => {
        const variantId = await hardwareRepository.insertVariant(trx, by);
        if (variantId === undefined) {
          throw new ProblemError(
            'CONFLICT',
            `The variant ${by.hardwareVariant} of ${by.hardwareVersion} is known.`,
          );
        }
        await audit(trx, by, {
          id: variantId,
          action: 'hardware-variant.add',
          objectType: 'hardware-variant',
          detail: { hardwareVersion: by.hardwareVersion, hardwareVariant: by.hardwareVariant },
        });
        return variantOf(trx, variantId);
      }),

    /** @throws {ProblemError} NOT_FOUND, PRECONDITION_FAILED */
    describeVariant: (
      by: By & {
        readonly variantId: number;
        readonly description: string | null;
        readonly ifMatch: IfMatch;
      },
    ): Promise<Versioned<HardwareVariant>> =>
      db.transaction().execute(async (trx) => {
        const { variantId, description, ifMatch } = by;
        const known = (await repository.lockVariant(trx, variantId)) ?? noVariant(variantId);
        assertMatch(ifMatch, known.version);
        await repository.describe(trx, variantId, description);
        await audit(trx, by, {
          id: variantId,
          action: 'hardware-variant.update',
          objectType: 'hardware-variant',
          detail: { description },
        });
        return variantOf(trx, variantId);
      }),

    /** @throws {ProblemError} NOT_FOUND, CONFLICT */
    deleteVariant: (by: By & { readonly variantId: number }): Promise<void> =>
      db.transaction().execute(async (trx) => {
        const known = (await repository.lockVariant(trx, by.variantId)) ?? noVariant(by.variantId);
        // Whoever registers a device refers to the locked row, and waits.
        if (await repository.hasDevices(trx, by.variantId)) {
          throw new ProblemError('CONFLICT', 'There are devices of this variant.');
        }
        await repository.removeVariant(trx, by.variantId);
        await audit(trx, by, {
          id: by.variantId,
          action: 'hardware-variant.delete',
          objectType: 'hardware-variant',
          detail: { hardwareVersion: known.hardwareVersion, hardwareVariant: known.hardwareVariant },
        });
      }),

    /** @throws {ProblemError} INVALID_REQUEST */
    listRules({ cursor, ...query }: Paged<RuleQuery>): Promise<Page<Versioned<VariantPinRule>>> {
      const after = cursor === undefined ? {} : { after: decodeCursor(z.int(), cursor) };
      return repository.listRules(db, { ...query, ...after });
    },

    /** @throws {ProblemError} NOT_FOUND */
    getRule: (configId: number) => ruleOf(db, configId),

    /** @throws {ProblemError} INVALID_REQUEST (no such variant, type or line), CONFLICT */
    addRule: (
      by: By &
        Pick<VariantPinRule, 'hardwareVersion' | 'hardwareVariant' | 'componentType' | 'role' | 'pins'>,
    ): Promise<VariantPinRule> =>
      db.transaction().execute(async (trx) => {
        const { hardwareVersion, hardwareVariant, componentType, role, pins } = by;
        const variantId = await repository.findVariantId(trx, by);
        const type = await typeRepository.find(trx, componentType);
        if (variantId === undefined) {
          throw invalid('hardwareVariant', `There is no variant ${hardwareVariant} of ${hardwareVersion}.`);
        }
        if (type === undefined) throw invalid('componentType', `There is no type ${componentType}.`);
        if (!type.pinRoles.includes(role)) {
          const lines = type.pinRoles.join(', ') || 'none';
          throw invalid('role', `${componentType} has no line called ${role}; it has ${lines}.`);
        }
        const configId = await repository.insertRule(trx, { variantId, componentType, role, pins });
        if (configId === undefined) {
          throw new ProblemError('CONFLICT', 'There is a rule for this line of the type: change that one.');
        }
        await audit(trx, by, {
          id: configId,
          action: 'pin-rule.add',
          objectType: 'pin-rule',
          detail: { hardwareVersion, hardwareVariant, componentType, role, pins },
        });
        return ruleOf(trx, configId);
      }),

    /** @throws {ProblemError} NOT_FOUND, COMPONENT_IN_USE, PRECONDITION_FAILED */
    updateRule: (
      by: By & { readonly configId: number; readonly pins: readonly number[]; readonly ifMatch: IfMatch },
    ): Promise<Versioned<VariantPinRule>> =>
      db.transaction().execute(async (trx) => {
        const { configId, pins, ifMatch } = by;
        const known = (await repository.lockRule(trx, configId)) ?? noRule(configId);
        assertMatch(ifMatch, known.version);
        await assertFree(trx, known, pins);
        await repository.updateRule(trx, configId, pins);
        await audit(trx, by, {
          id: configId,
          action: 'pin-rule.update',
          objectType: 'pin-rule',
          detail: { pins, before: known.pins },
        });
        return ruleOf(trx, configId);
      }),

    /** @throws {ProblemError} NOT_FOUND, COMPONENT_IN_USE */
    deleteRule: (by: By & { readonly configId: number }): Promise<void> =>
      db.transaction().execute(async (trx) => {
        const known = (await repository.lockRule(trx, by.configId)) ?? noRule(by.configId);
        await assertFree(trx, known, []);
        await repository.removeRule(trx, by.configId);
        const { hardwareVersion, hardwareVariant, componentType, role } = known;
        await audit(trx, by, {
          id: by.configId,
          action: 'pin-rule.delete',
          objectType: 'pin-rule',
          detail: { hardwareVersion, hardwareVariant, componentType, role },
        });
      }),
  };
}

/** A device would unload at once what sits where it may not. @throws {ProblemError} COMPONENT_IN_USE */
async function assertFree(trx: Queries, rule: VariantPinRule, pins: readonly number[]): Promise<void> {
  const taken = (await repository.pinsInUse(trx, rule)).filter((pin) => !pins.includes(pin));
  if (taken.length === 0) return;
  throw new ProblemError(
    'COMPONENT_IN_USE',
    `Devices have a ${rule.componentType} on GPIO ${taken.join(', ')}: detach it from them first.`,
  );
}

const invalid = (path: string, message: string) =>
  new ProblemError('INVALID_REQUEST', message, { issues: [{ path, message }] });

function noVariant(variantId: number): never {
  throw new ProblemError('NOT_FOUND', `There is no hardware variant ${variantId}.`);
}

function noRule(configId: number): never {
  throw new ProblemError('NOT_FOUND', `There is no device configuration ${configId}.`);
}
