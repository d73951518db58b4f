import { type Page, toPage } from '../database/paging.ts';
import type { Queries } from '../ports/database.ts';
import type { Binding, BindingQuery } from './types.ts';

/** Bindings are the assignments as people see them. */
export const bindingRepository = {
  async ofAssignment(queries: Queries, assignmentId: number): Promise<Binding | undefined> {
    const row = await bindings(queries)
      .where('a.id', '=', assignmentId)
      .where('a.ended_at', 'is', null)
      .executeTakeFirst();
    return row && toBinding(row);
  },

  async ofUser(queries: Queries, userUuid: string, query: BindingQuery): Promise<Page<Binding>> {
    const { active, after, limit } = query;
    const rows = await bindings(queries)
      .where('u.user_uuid', '=', userUuid)
      .$if(active === true, (q) => q.where('a.ended_at', 'is', null))
      .$if(active === false, (q) => q.where('a.ended_at', 'is not', null))
      .$if(after !== undefined, (q) => q.where('a.id', '<', after!))
      .orderBy('a.id', 'desc')
      .limit(limit + 1)
      .execute();
    return toPage(rows, limit, { positionOf: ({ id }) => id, toItem: toBinding });
  },

  /** Somebody of whom there are bindings; `mayOwn` is false for a suspended or deleted account. */
  async findUser(queries: Queries, userUuid: string): Promise<{ id: number; mayOwn: boolean } | undefined> {
    const row = await queries
      .selectFrom('users')
      .select(['id', 'suspended_at', 'deleted_at'])
      .where('user_uuid', '=', userUuid)
      .executeTakeFirst();
    return row && { id: row.id, mayOwn: row.suspended_at === null && row.deleted_at === null };
  },
};

function bindings(queries: Queries) {
  return queries
    .selectFrom('assignments as a')
    .innerJoin('devices as d', 'd.id', 'a.device_id')
    .innerJoin('users as u', 'u.id', 'a.user_id')
    .select(['a.id', 'a.number', 'a.started_at', 'a.ended_at', 'd.device_uuid', 'u.user_uuid', 'u.email']);
}

function toBinding(row: Awaited<ReturnType<ReturnType<typeof bindings>['execute']>>[number]): Binding {
  return {
    deviceUuid: row.device_uuid,
    assignment: row.number,
    userId: row.user_uuid,
    email: row.email,
    boundAt: row.started_at,
    unboundAt: row.ended_at,
  };
}
