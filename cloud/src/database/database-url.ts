/** What a `DATABASE_URL` says. */
export interface DatabaseUrl {
  /** Host name, IP address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Absent: without TLS. The server's certificate is always verified. */
  readonly tls?: {
    /** PEM file of the root that the server's certificate chains to; absent: the roots that Node trusts. */
    readonly rootFile?: string;
  };
}

const KNOWN = new Set(['host', 'sslmode', 'sslrootcert']);

/**
 * Reads `postgres://user:password@host:port/database`, with `host` (folder of a Unix socket), `sslmode` and
 * `sslrootcert` as parameters. A parameter that would be ignored is refused: somebody relies on it.
 * @throws {RangeError} whose message goes on after "DATABASE_URL"
 */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new RangeError('must begin with postgres:// and be a URL');
  }
  const parameters = url.searchParams;
  const unknown = [...parameters.keys()].filter((name) => !KNOWN.has(name));
  if (unknown.length > 0) {
    throw new RangeError(
      `has ${unknown.join(', ')}, which Ares does not know: it takes ${[...KNOWN].join(', ')}`,
    );
  }
  const host = parameters.get('host') ?? decodeURIComponent(url.hostname);
  const rootFile = parameters.get('sslrootcert') ?? undefined;
  return {
    host,
    port: url.port === '' ? 5432 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    ...(isVerified(parameters.get('sslmode'), host) && {
      tls: { ...(rootFile !== undefined && { rootFile }) },
    }),
  };
}

function isVerified(mode: string | null, host: string): boolean {
  if (mode === 'verify-full') return true;
  if (mode === 'disable' || (mode === null && isThisMachine(host))) return false;
  throw new RangeError(
    mode === null
      ? `names another machine (${host}): add sslmode=verify-full (and sslrootcert=FILE for a CA of your own), or sslmode=disable where nobody else can listen`
      : `has sslmode=${mode}: use verify-full, or disable where nobody else can listen`,
  );
}

function isThisMachine(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '[::1]' || /^127\.[\d.]+$/.test(host);
}
