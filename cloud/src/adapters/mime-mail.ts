import { createHash } from 'node:crypto';
import { createTransport } from 'nodemailer';
import type { Letter } from '../ports/mailer.ts';

/** What nodemailer is told about a letter, with each transport the same. */
export function toMimeMail(letter: Letter, from: string) {
  return {
    from,
    // As an object: what stands in an address is never read as a list of addresses.
    to: { name: '', address: letter.to },
    subject: letter.subject,
    text: letter.text,
    messageId: `<${createHash('sha256').update(letter.id).digest('hex').slice(0, 32)}@${domainOf(from)}>`,
    headers: { 'auto-submitted': 'auto-generated' },
    // A mail holds what is given here, and nothing that its text points to.
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** The bytes of a mail as RFC 5322 has them, with CRLF. */
export async function toMimeBytes(letter: Letter, from: string): Promise<Buffer> {
  const composer = createTransport({ streamTransport: true, buffer: true, newline: 'windows' });
  const { message } = await composer.sendMail(toMimeMail(letter, from));
  return message as Buffer;
}

function domainOf(from: string): string {
  return /@([A-Za-z0-9.-]+)>?\s*$/.exec(from)?.[1] ?? 'localhost';
}
