import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

/** A real SMTP server on loopback, and the mails that it took. */
export interface SmtpWorld {
  readonly port: number;
  readonly mails: { readonly from: string; readonly to: readonly string[]; readonly raw: string }[];
  /** Whether the connection of the last mail was encrypted. */
  encrypted(): boolean;
  close(): Promise<void>;
}

export async function startSmtpServer(options: SMTPServerOptions = {}): Promise<SmtpWorld> {
  const mails: SmtpWorld['mails'] = [];
  let secure = false;
  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 100,
    onData(stream, session, done) {
      text(stream).then((raw) => {
        const { mailFrom, rcptTo } = session.envelope;
        secure = session.secure;
        mails.push({
          from: mailFrom === false ? '' : (mailFrom?.address ?? ''),
          to: rcptTo.map(({ address }) => address),
          raw,
        });
        done();
      }, done);
    },
    ...options,
  });
  // A client that turns away from our certificate is what some tests want.
  server.on('error', () => undefined);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    encrypted: () => secure,
    close: () => new Promise((done) => server.close(done)),
  };
}
