import { type SqlBool, sql } from 'kysely';

/** SQL condition: the assignment of the column is or was this user's, as owner or viewer. */
export function isOwn(assignmentColumn: string, userId: number) {
  return sql<SqlBool>`${sql.ref(assignmentColumn)} in (
    select id from assignments where user_id = ${userId}
    union select assignment_id from assignment_viewers where user_id = ${userId})`;
}
