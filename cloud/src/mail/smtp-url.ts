/** What an `ARES_SMTP_URL` says. */
export interface SmtpUrl {
  readonly host: string;
  readonly port: number;
  readonly tls: 'implicit' | 'starttls' | 'none';
  readonly user?: string;
  readonly password?: string;
  /** PEM file of the root that the server's certificate chains to; absent: the roots that Node trusts. */
  readonly caFile?: string;
}

const KNOWN = new Set(['tls', 'ca']);

/**
 * Reads `smtps://user:password@host:465` (TLS from the first byte) or `smtp://user:password@host:587` (STARTTLS, or
 * no mail). Parameters: `ca` for an authority of one's own, `tls=off` for clear text on this machine.
 * @throws {RangeError} whose message goes on after "ARES_SMTP_URL"
 */
export function parseSmtpUrl(text: string): SmtpUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
    throw new RangeError('must begin with smtp:// or smtps:// and be a URL');
  }
  const unknown = [...url.searchParams.keys()].filter((name) => !KNOWN.has(name));
  if (unknown.length > 0) {
    throw new RangeError(
      `has ${unknown.join(', ')}, which Ares does not know: it takes ${[...KNOWN].join(', ')}`,
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isImplicit = url.protocol === 'smtps:';
  const tls = url.searchParams.get('tls');
  if (tls !== null && tls !== 'off') throw new RangeError(`has tls=${tls}: leave it out, or write tls=off`);
  if (tls === 'off' && (isImplicit || !isThisMachine(host))) {
    throw new RangeError('has tls=off: mail goes in clear text only to a server on this machine');
  }
  const user = decodeURIComponent(url.username);
  const caFile = url.searchParams.get('ca');
  return {
    host,
    port: url.port === '' ? (isImplicit ? 465 : 587) : Number(url.port),
    tls: isImplicit ? 'implicit' : tls === 'off' ? 'none' : 'starttls',
    ...(user !== '' && { user, password: decodeURIComponent(url.password) }),
    ...(caFile !== null && { caFile }),
  };
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.[\d.]+$/.test(host);
}
