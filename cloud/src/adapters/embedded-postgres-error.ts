export type EmbeddedPostgresErrorCode =
  /** There are PostgreSQL binaries for Linux on x64 and arm64 only, or the package was not installed. */
  | 'NO_BINARIES'
  /** Started as root where neither a user namespace nor an unprivileged user can run the server. */
  | 'NO_UNPRIVILEGED_USER'
  /** Another living process runs a server on this folder. */
  | 'IN_USE'
  | 'DISK_FULL'
  /** The folder holds something that is not a database made by this adapter, or of another major version. */
  | 'FOREIGN_FOLDER'
  /** Anything else; the message ends with the server's own last words. */
  | 'START_FAILED';

/** The embedded server did not start. The message is one line that says what to do; nothing was damaged. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
  readonly code: EmbeddedPostgresErrorCode;

  constructor(code: EmbeddedPostgresErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Finds the one cause a person can act on in what the server wrote before it gave up. */
export function explainFailure(
  doing: string,
  dataDir: string,
  lines: readonly string[],
): EmbeddedPostgresError {
  const said = lines.join('\n');
  if (/No space left on device|Disk quota exceeded/.test(said)) return diskFull(dataDir);
  if (/lock file "[^"]*" already exists|shared memory block .* is still in use/.test(said)) {
    return new EmbeddedPostgresError(
      'IN_USE',
      `Another PostgreSQL server is running on ${dataDir}. Stop it first.`,
    );
  }
  if (/incompatible with server|not compatible with this version/.test(said)) {
    return new EmbeddedPostgresError(
      'FOREIGN_FOLDER',
      `The database in ${dataDir} was made by another version of PostgreSQL. Move the folder away, or use that version.`,
    );
  }
  const fatal =
    lines.find((line) => /\b(FATAL|PANIC|error):/.test(line)) ?? lines.at(-1) ?? 'it wrote nothing';
  const words = fatal.replace(/^\S+ \S+ UTC \[\d+\] /, '');
  return new EmbeddedPostgresError(
    'START_FAILED',
    `PostgreSQL failed while ${doing} in ${dataDir}: ${words}`,
  );
}

export function diskFull(dataDir: string, cause?: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    'DISK_FULL',
    `The disk that holds ${dataDir} is full. Free some space and start again; nothing was damaged.`,
    { cause },
  );
}
