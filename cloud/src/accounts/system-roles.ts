import { writeAudit } from '../audit/audit-log.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { type RoleName, roleNames } from './types.ts';

export interface SystemRole {
  readonly name: RoleName;
  /** It was missing and is there now. */
  readonly made: boolean;
  /** Accounts that have it and are not suspended. */
  readonly holders: number;
}

/** Makes the system roles that the tables lack; those that are there stay as they are, with who has them. */
export async function initializeRoles({ db }: Pick<CloudDatabase, 'db'>): Promise<readonly SystemRole[]> {
  return db.transaction().execute(async (trx) => {
    const rows = await trx
      .insertInto('roles')
      .values(roleNames.map((name) => ({ name })))
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returning('name')
      .execute();
    const made = new Set<string>(rows.map(({ name }) => name));
    for (const name of made)
      await writeAudit(trx, { actorUserId: null, action: 'role.make', objectType: 'role', objectId: name });
    const held = await trx
      .selectFrom('user_roles as h')
      .innerJoin('roles as r', 'r.id', 'h.role_id')
      .innerJoin('users as u', 'u.id', 'h.user_id')
      .where('u.suspended_at', 'is', null)
      .groupBy('r.name')
      .select(['r.name', ({ fn }) => fn.countAll<number>().as('holders')])
      .execute();
    const holders = new Map<string, number>(held.map((row) => [row.name, Number(row.holders)]));
    return roleNames.map((name) => ({ name, made: made.has(name), holders: holders.get(name) ?? 0 }));
  });
}
