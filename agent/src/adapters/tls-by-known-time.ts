import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';

/** RFC 5280 §4.2.1.12. */
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
const LONGEST_CHAIN = 5;

/**
 * A connection whose peer is checked as ever, by chain, name and purpose, but not by dates: for a device that asks
 * what time it is. OpenSSL's own check cannot leave the dates out and stops at them, so the whole of it is done
 * here, before a byte is sent; that the peer holds the key of its certificate, the handshake has proved. What is
 * transported is believed for its signature, never for this connection.
 */
export function connectorWithoutDates(options: {
  readonly ca: readonly string[];
  readonly timeoutMs: number;
}): buildConnector.connector {
  const { ca, timeoutMs } = options;
  return ({ hostname, port }, callback) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const socket = connect({
      host,
      port: Number(port) || 443,
      ca: [...ca],
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: false,
      ...(isIP(host) === 0 && { servername: host }),
    });
    const fail = (error: Error) => {
      socket.destroy();
      callback(error, null);
    };
    socket.setTimeout(timeoutMs, () => fail(fault('ETIMEDOUT', `no answer from ${host}`)));
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      socket.off('error', fail);
      socket.setTimeout(0);
      const problem = peerProblem(socket, { ca, host });
      if (problem === undefined) callback(null, socket);
      else fail(fault('ERR_TLS_PEER', problem));
    });
  };
}

/** Why the peer is not the one that is wanted; `undefined` when it is. */
function peerProblem(
  socket: TLSSocket,
  { ca, host }: { readonly ca: readonly string[]; readonly host: string },
): string | undefined {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return 'the server shows no certificate';
  const named = isIP(host) === 0 ? leaf.checkHost(host, { subject: 'never' }) : leaf.checkIP(host);
  if (named === undefined) return `the server's certificate is not for ${host}`;
  // Node gives the extended key usage under this name.
  if (leaf.ca || !(leaf.keyUsage ?? [SERVER_AUTHENTICATION]).includes(SERVER_AUTHENTICATION))
    return "the server's certificate is not one of a server";
  const anchors = ca.map((pem) => new X509Certificate(pem));
  let current = leaf;
  for (let length = 0; length < LONGEST_CHAIN; length++) {
    const child = current;
    if (anchors.some((anchor) => isIssuedBy(child, anchor))) return undefined;
    const issuer = current.issuerCertificate;
    if (issuer === undefined || !isIssuedBy(child, issuer)) break;
    current = issuer;
  }
  return "the server's certificate does not come from an authority of the trust file";
}

function isIssuedBy(child: X509Certificate, parent: X509Certificate): boolean {
  return parent.ca && child.checkIssued(parent) && child.verify(parent.publicKey);
}

function fault(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
