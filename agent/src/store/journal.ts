import type { CommandResult } from '@ares/protocol';
import type { Database } from './database.ts';
import type { CommandJournal, CommandState } from './types.ts';

export const journalSchema = `
  CREATE TABLE IF NOT EXISTS commands (
    command_id TEXT PRIMARY KEY,
    arrival INTEGER NOT NULL,
    assignment INTEGER NOT NULL,
    component_id INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('received', 'acting', 'done')),
    result TEXT,
    acknowledged INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS commands_open ON commands (acknowledged, arrival);
  CREATE TABLE IF NOT EXISTS command_seqs (
    assignment INTEGER NOT NULL,
    component_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (assignment, component_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS damages (assignment INTEGER NOT NULL, detail TEXT NOT NULL) STRICT;
`;

/** Answered commands whose ids are remembered: an older one is stale by its `seq` anyway. */
const REMEMBERED = 2_000;

/** The journal in `device.db`. `damaged` is asked each time: a new assignment mends it. */
export function createJournal(database: Database, damaged: () => string | undefined): CommandJournal {
  const nextArrival = () =>
    (
      database.prepare('SELECT coalesce(max(arrival), 0) + 1 AS next FROM commands').get() as {
        next: number;
      }
    ).next;
  const prune = () =>
    database
      .prepare(
        `DELETE FROM commands WHERE acknowledged = 1 AND arrival <=
           (SELECT coalesce(max(arrival), 0) - ${REMEMBERED} FROM commands)`,
      )
      .run();
  const finish = (result: CommandResult) =>
    database
      .prepare(`UPDATE commands SET state = 'done', result = ? WHERE command_id = ? AND result IS NULL`)
      .run(JSON.stringify(result), result.commandId);

  const raiseSeq = (assignment: number, componentId: number, seq: number) =>
    database
      .prepare(
        `INSERT INTO command_seqs (assignment, component_id, seq) VALUES (?, ?, ?)
         ON CONFLICT (assignment, component_id) DO UPDATE SET seq = max(seq, excluded.seq)`,
      )
      .run(assignment, componentId, seq);

  return {
    get damaged() {
      return damaged();
    },
    find: (commandId) => {
      const row = database
        .prepare('SELECT state, result FROM commands WHERE command_id = ?')
        .get(commandId) as { state: CommandState; result: string | null } | undefined;
      return row === undefined ? undefined : { state: row.state, result: parsed(row.result) };
    },
    receive: ({ commandId, assignment, componentId, seq, refused }) =>
      database.transaction(() => {
        const { changes } = database
          .prepare(
            `INSERT INTO commands (command_id, arrival, assignment, component_id, state) VALUES (?, ?, ?, ?, 'received')
             ON CONFLICT (command_id) DO NOTHING`,
          )
          .run(commandId, nextArrival(), assignment, componentId);
        if (changes === 0) return false;
        raiseSeq(assignment, componentId, seq);
        if (refused !== undefined) finish(refused);
        return true;
      }),
    acting: (commandId) => {
      database
        .prepare(`UPDATE commands SET state = 'acting' WHERE command_id = ? AND state = 'received'`)
        .run(commandId);
    },
    finish: (result) => {
      finish(result);
    },
    unacknowledged: (assignment, limit) =>
      (
        database
          .prepare(
            `SELECT result FROM commands WHERE acknowledged = 0 AND assignment = ? AND result IS NOT NULL
             ORDER BY arrival LIMIT ?`,
          )
          .all(assignment, limit) as { result: string }[]
      ).map(({ result }) => JSON.parse(result) as CommandResult),
    acknowledge: (commandIds) =>
      database.transaction(() => {
        let count = 0;
        for (const id of commandIds)
          count += Number(
            database
              .prepare(
                `UPDATE commands SET acknowledged = 1
                 WHERE command_id = ? AND result IS NOT NULL AND acknowledged = 0`,
              )
              .run(id).changes,
          );
        if (count > 0) prune();
        return count;
      }),
    closeUnfinished: (make) =>
      database.transaction(() => {
        const rows = database.prepare('SELECT command_id FROM commands WHERE result IS NULL').all() as {
          command_id: string;
        }[];
        for (const row of rows) finish(make(row.command_id));
        return rows.length;
      }),
    highestSeq: (assignment, componentId) =>
      (
        database
          .prepare('SELECT seq FROM command_seqs WHERE assignment = ? AND component_id = ?')
          .get(assignment, componentId) as { seq: number } | undefined
      )?.seq ?? 0,
  };
}

function parsed(result: string | null): CommandResult | undefined {
  return result === null ? undefined : (JSON.parse(result) as CommandResult);
}
