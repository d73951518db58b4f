import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { peerProblem } from './tls-peer.ts';

/** OpenSSL's verdicts that a wrong clock brings about; whatever else it finds stands. */
const ABOUT_DATES: readonly string[] = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'];

/** One connection of a device whose clock is not set. */
export interface KnownTimeOptions {
  readonly host: string;
  readonly port: number;
  readonly ca: readonly string[];
  /** The device's own certificate and key, PEM. */
  readonly client?: { readonly cert: string; readonly key: string } | undefined;
  /**
   * The time by the cloud's signed word, epoch ms, in place of the system's clock. `ask`: dates are not looked at, for
   * the question what time it is, whose answer is believed for its signature.
   */
  readonly time: number | 'ask';
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A connection whose peer is checked by chain, name and purpose as ever, and by its dates at a time that is known in
 * another way than by the system's clock, before a byte is sent. OpenSSL takes the time from nowhere else, and Node
 * has no way to give it one. So OpenSSL's verdict is taken unless it is about dates; then the whole of its work is
 * done again here, more strictly (see {@link peerProblem}), because a verdict about dates hides those before it.
 *
 * @throws what the socket or OpenSSL says; ERR_TLS_PEER, CERT_NOT_YET_VALID or CERT_HAS_EXPIRED
 */
export function connectByKnownTime(options: KnownTimeOptions): Promise<TLSSocket> {
  const { host, port, ca, client, time, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      ca: [...ca],
      ...client,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: false,
      ...(isIP(host) === 0 && { servername: host }),
    });
    const settle = (error?: Error) => {
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', settle).setTimeout(0);
      // What comes until the owner listens ends the connection, which he sees.
      socket.on('error', () => undefined);
      if (error === undefined) return resolve(socket);
      socket.destroy();
      reject(error);
    };
    const onAbort = () => settle(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) return onAbort();
    socket.setTimeout(timeoutMs, () => settle(fault('ETIMEDOUT', `no answer from ${host}`)));
    socket.once('error', settle);
    socket.once('secureConnect', () => settle(problemOf(socket, { ca, host, time })));
  });
}

function problemOf(
  socket: TLSSocket,
  { ca, host, time }: Pick<KnownTimeOptions, 'ca' | 'host' | 'time'>,
): Error | undefined {
  if (socket.authorized) return undefined;
  const verdict = String(socket.authorizationError);
  if (!ABOUT_DATES.includes(verdict)) return fault(verdict, `the server's certificate: ${verdict}`);
  const problem = peerProblem(socket.getPeerX509Certificate(), {
    ca,
    host,
    ...(time !== 'ask' && { at: time }),
  });
  return problem && fault(problem.code, problem.detail);
}

function fault(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
