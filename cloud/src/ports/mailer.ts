/** One mail to one person: plain text in any language. */
export interface Letter {
  /** The same for every attempt to send the same mail; becomes its Message-ID. */
  readonly id: string;
  readonly to: string;
  /** One line. */
  readonly subject: string;
  readonly text: string;
}

export interface Mailer {
  /**
   * Hands a mail over for good: when the promise resolves, the server (or the folder) has it.
   * @throws {MailerError}
   */
  send(letter: Letter): Promise<void>;
  close(): Promise<void>;
}

export type MailerErrorCode =
  /** The server is away or busy: try again later. */
  | 'UNAVAILABLE'
  /** The server will never take this mail, or it is no mail. */
  | 'REFUSED'
  /** The server does not take our name, password or TLS: an operator must act. */
  | 'MISCONFIGURED';

/** Why a mail was not taken. The message holds no secret and nothing of the mail. */
export class MailerError extends Error {
  override readonly name = 'MailerError';
  readonly code: MailerErrorCode;

  constructor(code: MailerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** @throws {MailerError} REFUSED: a line break in a header would begin another header */
export function assertLetter({ to, subject }: Letter): void {
  if (/\p{Cc}/u.test(to + subject) || to.trim() === '') {
    throw new MailerError('REFUSED', 'Address and subject of a mail are one line each.');
  }
}
