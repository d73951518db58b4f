/** Errors whose message was written for the person who starts the program. */
const SPOKEN = new Set([
  'BackupError',
  'BrokerLinkError',
  'CertificateAuthorityError',
  'ConfigError',
  'EmbeddedPostgresError',
  'ListenError',
  'MigrationError',
  'PortError',
  'SecretStoreError',
]);

/** Why the cloud did not start, as the one line that a person can act on. */
export function oneLine(error: unknown): string {
  return (
    startError(error) ?? `The cloud did not start: ${error instanceof Error ? error.message : String(error)}`
  );
}

/** The same for errors that a start is known to have; `undefined` for any other. */
export function startError(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, syscall, path, address, port } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  if (SPOKEN.has(error.name)) return error.message;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return `The disk is full${path === undefined ? '' : ` at ${path}`}. Free some space and start again; nothing was damaged.`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `This user may not write ${path ?? 'the folder of the cloud'}: choose another ARES_HOME, or change its owner.`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `${path ?? 'ARES_HOME'} is a file where a folder is needed: choose another ARES_HOME.`;
    case 'ECONNREFUSED':
      return `The database at ${address ?? 'DATABASE_URL'}${port === undefined ? '' : `:${port}`} does not answer.`;
    case 'ENOENT':
      return syscall === 'connect' ? `Nothing listens at ${address}: the database does not run.` : undefined;
    case '28000':
    case '28P01':
    case '3D000':
      return `The database refuses what DATABASE_URL says: ${error.message}.`;
    default:
      return undefined;
  }
}
