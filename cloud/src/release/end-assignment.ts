import { sql } from 'kysely';
import type { CommandStatus } from '../database/schema.ts';
import type { Queries } from '../ports/database.ts';

/** Code of commands that were open when their assignment ended. */
const ASSIGNMENT_ENDED = 'ASSIGNMENT_ENDED';

/**
 * Ends an assignment in the caller's transaction: its secret is gone and its open commands reach a final state.
 * A command that never left is REJECTED; of one that did nobody will ever tell the outcome, so it is UNKNOWN.
 * @returns the commands that were open
 */
export async function endAssignment(
  trx: Queries,
  options: { readonly assignmentId: number; readonly at: Date },
): Promise<readonly string[]> {
  const { assignmentId, at } = options;
  await trx
    .updateTable('assignments')
    .set({ ended_at: at })
    .where('id', '=', assignmentId)
    .where('ended_at', 'is', null)
    .execute();
  await trx.deleteFrom('assignment_secrets').where('assignment_id', '=', assignmentId).execute();
  const commands = await trx
    .updateTable('commands')
    .set({
      status: sql<CommandStatus>`case when published_at is null then 'REJECTED' else 'UNKNOWN' end`,
      code: ASSIGNMENT_ENDED,
      detail: 'The device was given away before the outcome was known.',
      finished_at: at,
    })
    .where('assignment_id', '=', assignmentId)
    .where('status', '=', 'PENDING')
    .returning('id')
    .execute();
  return commands.map(({ id }) => id);
}
