import { Command, Option } from 'commander';
import { aclCommands } from './commands/acl.ts';
import { adminCommands } from './commands/admin.ts';
import { auditCommands } from './commands/audit.ts';
import { backupCommands } from './commands/backup.ts';
import { pinRuleCommands, variantCommands } from './commands/catalogue.ts';
import { certificateCommands } from './commands/certificates.ts';
import { componentCommands } from './commands/component.ts';
import { credentialsCommand } from './commands/credentials.ts';
import { deviceCommands } from './commands/device.ts';
import { documentCommands } from './commands/documents.ts';
import { keyCommands } from './commands/keys.ts';
import { loginCommands } from './commands/login.ts';
import { mockCommands } from './commands/mock.ts';
import { mqttCommands } from './commands/mqtt.ts';
import { offlineTokenCommands } from './commands/offline-token.ts';
import { pairCommand } from './commands/pair.ts';
import { rolesCommand } from './commands/roles.ts';
import { seedCommand } from './commands/seed.ts';
import { simulateCommand } from './commands/simulate.ts';
import { alertCommands } from './commands/supervision.ts';
import { telemetryCommand } from './commands/telemetry.ts';
import { userCommands } from './commands/users.ts';
import { type CliSession, type Role, signIn } from './session.ts';

/** What every command gets. */
export interface CliContext {
  readonly home: string;
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
  json(): boolean;
  /** As `--as` says, else as whoever ran `ares login`, else as the given account of this installation. */
  signIn(role?: Role): Promise<CliSession>;
}

/** The operator's command line. */
export function buildProgram(options: { readonly home: string; readonly signal: AbortSignal }): Command {
  const program = new Command('ares')
    .description('operator of an Ares cloud')
    .option('--json', 'JSON for machines')
    .addOption(
      new Option('--as <account>', 'whose eyes to use').choices(['owner', 'administrator'] satisfies Role[]),
    )
    .showHelpAfterError()
    .configureHelp({ showGlobalOptions: true });
  const given = () => program.opts<{ json?: boolean; as?: Role }>();
  const context: CliContext = {
    ...options,
    json: () => given().json === true,
    signIn: (role = 'owner') => signIn(options.home, { role, as: given().as }),
  };
  credentialsCommand(program, context);
  loginCommands(program, context);
  userCommands(program, context);
  deviceCommands(program, context);
  componentCommands(program, context);
  variantCommands(program, context);
  pinRuleCommands(program, context);
  alertCommands(program, context);
  telemetryCommand(program, context);
  pairCommand(program, context);
  simulateCommand(program, context);
  mockCommands(program, context);
  seedCommand(program, context);
  keyCommands(program, context);
  offlineTokenCommands(program, context);
  adminCommands(program, context);
  auditCommands(program, context);
  backupCommands(program, context);
  certificateCommands(program, context);
  aclCommands(program, context);
  mqttCommands(program, context);
  documentCommands(program);
  rolesCommand(program, context);
  return program;
}
