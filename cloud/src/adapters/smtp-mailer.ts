import { createTransport } from 'nodemailer';
import { assertLetter, type Mailer, MailerError } from '../ports/mailer.ts';
import { toMimeMail } from './mime-mail.ts';

export interface SmtpConfig {
  readonly host: string;
  readonly port: number;
  /** `implicit` from the first byte (465), `starttls` before anything else (587), `none` in clear text. */
  readonly tls: 'implicit' | 'starttls' | 'none';
  readonly user?: string;
  readonly password?: string;
  /** PEM of the roots that the server's certificate chains to; absent: those that Node trusts. */
  readonly ca?: string;
}

const CONNECT_WITHIN_MS = 10_000;
const SILENCE_MS = 20_000;

/** Mail by SMTP. The server's certificate is always verified, and a password is never sent in clear text. */
export function createSmtpMailer(options: {
  readonly server: SmtpConfig;
  /** `Ares <ares@example.org>` */
  readonly from: string;
  readonly silenceMs?: number;
}): Mailer {
  const { server, from, silenceMs = SILENCE_MS } = options;
  const { host, port, tls, user, password, ca } = server;
  const transport = createTransport({
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: { minVersion: 'TLSv1.2', rejectUnauthorized: true, ...(ca !== undefined && { ca }) },
    ...(user !== undefined && { auth: { user, pass: password ?? '' } }),
    connectionTimeout: Math.min(CONNECT_WITHIN_MS, silenceMs),
    greetingTimeout: silenceMs,
    socketTimeout: silenceMs,
    dnsTimeout: CONNECT_WITHIN_MS,
  });
  return {
    async send(letter) {
      assertLetter(letter);
      try {
        await transport.sendMail(toMimeMail(letter, from));
      } catch (cause) {
        throw toMailerError(cause as SmtpFailure, `${host}:${port}`);
      }
    },
    async close() {
      transport.close();
    },
  };
}

type SmtpFailure = Error & { readonly code?: string; readonly responseCode?: number };

/** RFC 5321, 4.2.1: 4xx passes, 5xx stays. What it says may quote the mail, so only the number is kept. */
function toMailerError(cause: SmtpFailure, where: string): MailerError {
  const { code, responseCode } = cause;
  const said = responseCode === undefined ? (code ?? 'no answer') : `answer ${responseCode}`;
  if (code === 'EAUTH' || code === 'ETLS' || code === 'ECONFIG' || isCertificateError(cause)) {
    const message = `The mail server ${where} does not take our name and password, or offers no TLS that we trust (${said}): look at ARES_SMTP_URL.`;
    return new MailerError('MISCONFIGURED', message, { cause });
  }
  if (code === 'EENVELOPE' && responseCode === undefined) {
    return new MailerError('REFUSED', 'The address is none that mail can be sent to.', { cause });
  }
  return responseCode !== undefined && responseCode >= 500
    ? new MailerError('REFUSED', `The mail server ${where} refuses this mail (${said}).`, { cause })
    : new MailerError('UNAVAILABLE', `The mail server ${where} does not take mail now (${said}).`, { cause });
}

function isCertificateError({ code, message }: SmtpFailure): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_/.test(code ?? '') || /certificate|altname/i.test(message);
}
