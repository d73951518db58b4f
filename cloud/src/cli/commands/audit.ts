import type { Command } from 'commander';
import type { ChainHead } from '../../audit/chain.ts';
import { readConfig } from '../../config.ts';
import { CliError } from '../cli-error.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

interface ListOptions {
  readonly action?: string;
  readonly object?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
}

/** `ares audit …` */
export function auditCommands(program: Command, context: CliContext): void {
  const audit = program.command('audit').description('who did what');

  audit
    .command('list')
    .description('entries of the audit log, newest first')
    .option('--action <action>', 'device.block, or device. for everything done to devices')
    .option('--object <id>', 'only what was done to this one')
    .option('--from <time>', 'ISO 8601')
    .option('--to <time>', 'ISO 8601')
    .option('--limit <number>', 'at most so many', Number, 50)
    .action(async ({ action, object, from, to, limit }: ListOptions) => {
      const { client } = await context.signIn('administrator');
      const found = await client.audit({
        query: {
          limit,
          ...(action !== undefined && { action }),
          ...(object !== undefined && { objectId: object }),
          ...(from !== undefined && { from }),
          ...(to !== undefined && { to }),
        },
      });
      if (context.json()) return printJson(found);
      const rows = found.items.map((entry) => ({
        at: entry.at,
        who: entry.actor?.email ?? '-',
        action: entry.action,
        object: `${entry.objectType} ${entry.objectId}`,
        from: entry.source,
        detail: entry.detail,
      }));
      printRows(rows, 'Nothing was done.');
    });

  audit
    .command('verify')
    .description(
      'prove that nothing was changed in or removed from the log; on the machine of the cloud, or with its DATABASE_URL',
    )
    .option('--head <seq:mac>', 'a head that was written down before: it must still be there')
    .action(async ({ head }: { head?: string }) => {
      const known = head === undefined ? undefined : parseHead(head);
      const config = readConfig('all', process.env);
      // Loaded here: no other command needs what reaches a database.
      const { withOperatorTools } = await import('../../compose-operator.ts');
      const report = await withOperatorTools(config, (tools) => tools.verifyAudit(known));
      if (context.json()) printJson(report);
      else if (report.problem !== undefined) console.log(report.problem.message);
      else {
        const end =
          report.head === undefined ? '' : ` Head to write down: ${report.head.seq}:${report.head.mac}`;
        const young = report.unchained === 0 ? '' : ` ${report.unchained} more are too young to be chained.`;
        console.log(`${report.rows} entries, none changed, none removed.${young}${end}`);
      }
      if (report.problem !== undefined) process.exitCode = 1;
    });
}

function parseHead(text: string): ChainHead {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  if (match === null) throw new CliError(`${text} is no head: write it as audit verify printed it, seq:mac.`);
  return { seq: Number(match[1]), mac: match[2]! };
}
