export type EmbeddedPostgresOptions = {
  /** A folder of its own, made when missing (0700): data, password and socket live in it. At most one server uses it. */
  readonly dataDir: string;
  /** Gets each line that the server writes. */
  readonly log: (line: string) => void;
  /** Where the socket goes; by default inside `dataDir`, or in a private folder of /tmp when that path is too long. */
  readonly socketDir?: string;
  /** Only tests set this to false: a power cut may then lose or corrupt everything. */
  readonly fsync?: boolean;
};

/** How to reach the server, in the words of `pg`. Unix socket: no other machine and no other user can. */
export type PostgresConnection = {
  /** The folder of the socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};

export type PostgresExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type EmbeddedPostgres = {
  readonly connection: PostgresConnection;
  readonly pid: number;
  /** Settles when the server has ended, wanted or not. After an unwanted end start it again: same connection. */
  readonly exited: Promise<PostgresExit>;
  /** Ends sessions and server in an orderly way, and the hard (still safe) way after 3.5 s. */
  stop(): Promise<void>;
  /** An empty database; with `template`, a copy of that one (which nobody may be connected to). */
  createDatabase(name: string, options?: { readonly template?: string }): Promise<PostgresConnection>;
};

/**
 * Starts PostgreSQL on a folder, making the database on first use.
 * @throws {EmbeddedPostgresError}
 */
export async function startEmbeddedPostgres(_options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  throw new Error('not yet');
}
