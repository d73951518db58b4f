/** What a `REDIS_URL` says. */
export interface RedisUrl {
  /** One: a single server. Several: nodes of one cluster, from which the others are learnt. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Number of the database of a single server. */
  readonly database: number;
  /** Absent: without TLS. The server's certificate is always verified. */
  readonly tls?: {
    /** PEM file of the root that the server's certificate chains to; absent: the roots that Node trusts. */
    readonly rootFile?: string;
    /** Its content, once it was read. */
    readonly ca?: string;
  };
}

/**
 * Reads `redis://user:password@host:port/database`, `rediss://…?cacert=FILE` for TLS, or several of them joined by
 * commas for a cluster, whose nodes share user, password and TLS. A part that would be ignored is refused.
 * @throws {RangeError} whose message goes on after "REDIS_URL"
 */
export function parseRedisUrl(text: string): RedisUrl {
  const nodes = text.split(',').map((one) => parseOne(one.trim()));
  const [first] = nodes as [RedisUrl, ...RedisUrl[]];
  if (nodes.length === 1) return first;
  if (nodes.some(({ database }) => database !== 0))
    throw new RangeError('names a database: a cluster has only 0');
  const secrets = ({ username, password, tls }: RedisUrl) => JSON.stringify([username, password, tls]);
  if (nodes.some((one) => secrets(one) !== secrets(first)))
    throw new RangeError('must name the same user, password and TLS for every node of the cluster');
  return { ...first, nodes: nodes.flatMap((one) => one.nodes) };
}

function parseOne(text: string): RedisUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === '')
    throw new RangeError('must begin with redis:// or rediss:// and be a URL, or several joined by commas');
  const unknown = [...url.searchParams.keys()].filter((name) => name !== 'cacert');
  if (unknown.length > 0)
    throw new RangeError(`has ${unknown.join(', ')}, which Ares does not know: it takes cacert`);
  const isTls = url.protocol === 'rediss:';
  const rootFile = url.searchParams.get('cacert') ?? undefined;
  if (rootFile !== undefined && !isTls) throw new RangeError('has cacert, which needs rediss://');
  const database = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : 0;
  if (!Number.isInteger(database)) throw new RangeError('must end in the number of a database, or in none');
  const host = decodeURIComponent(url.hostname).replace(/^\[|\]$/g, '');
  if (!isTls && !isThisMachine(host) && url.password !== '')
    throw new RangeError(`would send its password in the clear to another machine (${host}): use rediss://`);
  return {
    nodes: [{ host, port: url.port === '' ? 6379 : Number(url.port) }],
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
    database,
    ...(isTls && { tls: { ...(rootFile !== undefined && { rootFile }) } }),
  };
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.[\d.]+$/.test(host);
}
