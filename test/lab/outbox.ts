import type { Vm } from './vm.ts';

/**
 * Asks the database in which the agent of a guest keeps what the cloud has not got yet; rows as lists of their columns.
 * By Python, which an emulated machine starts sooner than Node.
 */
export async function queryOutbox(vm: Vm, sql: string): Promise<unknown[][]> {
  const rows = await vm.sh(`python3 -SE - <<'END'
import json, sqlite3
outbox = sqlite3.connect("file:/var/lib/ares-agent/outbox.db?mode=ro", uri=True)
print(json.dumps(outbox.execute("""${sql}""").fetchall()))
END`);
  return JSON.parse(rows) as unknown[][];
}
