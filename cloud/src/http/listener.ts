import { constants } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { ProblemError } from '@ares/protocol';
import type Koa from 'koa';

export interface HttpListener {
  readonly port: number;
  /** Stops accepting, ends streams by `closing`, waits for running requests (bounded), then cuts what is left. */
  close(): Promise<void>;
}

export interface DeviceListener extends HttpListener {
  /** A new certificate of the server, for connections to come. */
  setTls(tls: DeviceTls): void;
}

export interface ListenAt {
  readonly host: string;
  readonly port: number;
}

/** PEM texts of the device listener. */
export interface DeviceTls {
  readonly key: string;
  /** Own certificate, then the intermediate. */
  readonly chain: string;
  /** The only root that a device certificate may chain to. */
  readonly root: string;
}

/** A slow sender is cut off: headers within 10 s, the whole request within 30 s. */
const TIMES = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 1_000 };
const KEEP_ALIVE_MS = 10_000;
const MAX_CONNECTIONS = 10_000;
const DRAIN_MS = 2_000;

/** Overrides for tests. */
export type ListenerTimes = { readonly headersTimeout?: number; readonly requestTimeout?: number };

/** The listener for people and apps; TLS in front of it is the reverse proxy's. @throws {ListenError} */
export async function listenPublic(
  app: Koa,
  at: ListenAt,
  closing: AbortController,
  times: ListenerTimes = {},
): Promise<HttpListener> {
  return listen(http.createServer({ ...TIMES, ...times }, handlerOf(app)), at, closing);
}

/**
 * The listener for devices, which ends mutual TLS itself. A certificate is asked for but not demanded: a device
 * without one must be able to claim. Policies decide by `socket.authorized` and the table. No session is resumed,
 * so each connection shows its certificate anew.
 * @throws {ListenError}
 */
export async function listenDevices(
  app: Koa,
  at: ListenAt,
  tls: DeviceTls,
  closing: AbortController,
  times: ListenerTimes = {},
): Promise<DeviceListener> {
  const server = https.createServer(
    {
      ...TIMES,
      ...times,
      ...secureContext(tls),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: 10_000,
    },
    handlerOf(app),
  );
  const listener = await listen(server, at, closing);
  return { ...listener, setTls: (next) => server.setSecureContext(secureContext(next)) };
}

function secureContext({ key, chain, root }: DeviceTls): SecureContextOptions {
  return {
    key,
    cert: chain,
    ca: root,
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** The address cannot be listened on; the message says what to do. */
class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code: 'PORT_TAKEN' | 'ADDRESS_REFUSED';

  constructor(code: ListenError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

function handlerOf(app: Koa): http.RequestListener {
  const handle = app.callback();
  return (request, response) => void handle(request, response);
}

async function listen(
  server: http.Server | https.Server,
  at: ListenAt,
  closing: AbortController,
): Promise<HttpListener> {
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseRaw(error, socket));
  await new Promise<void>((ready, fail) => {
    server.once('error', (error) => fail(explain(error, at)));
    server.listen(at.port, at.host, () => ready());
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      if (!server.listening) return;
      const closed = new Promise<void>((done) => server.close(() => done()));
      closing.abort();
      // A connection that was busy when the listener closed is idle, and kept alive, when its answer is out.
      const idle = setInterval(() => server.closeIdleConnections(), 20);
      const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      await closed;
      clearInterval(idle);
      clearTimeout(cut);
    },
  };
}

function explain(error: NodeJS.ErrnoException, { host, port }: ListenAt): ListenError {
  switch (error.code) {
    case 'EADDRINUSE':
      return new ListenError(
        'PORT_TAKEN',
        `Port ${port} on ${host} is taken by another program: end that program, or choose another port.`,
        { cause: error },
      );
    case 'EACCES':
      return new ListenError(
        'ADDRESS_REFUSED',
        `This user may not listen on port ${port}: choose one above 1023.`,
        {
          cause: error,
        },
      );
    default:
      return new ListenError('ADDRESS_REFUSED', `Cannot listen on ${host}:${port}: ${error.message}`, {
        cause: error,
      });
  }
}

/** Answers what the HTTP parser refused: there is no request that the app could see. */
function refuseRaw(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new ProblemError('REQUEST_TIMEOUT', 'The request took too long to arrive.')
      : new ProblemError(
          'INVALID_REQUEST',
          error.code === 'HPE_HEADER_OVERFLOW'
            ? 'The address or the headers are longer than 16 KiB.'
            : 'This is not an HTTP/1.1 request.',
        );
  const body = JSON.stringify(problem.toDetails());
  const reason = http.STATUS_CODES[problem.status];
  socket.end(
    `HTTP/1.1 ${problem.status} ${reason}\r\nconnection: close\r\ncontent-type: application/problem+json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
