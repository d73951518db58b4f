import { join } from 'node:path';
import { assertLetter, type Mailer, MailerError } from '../ports/mailer.ts';
import { preparePrivateFolder, writeDurably } from './durable-file.ts';
import { toMimeBytes } from './mime-mail.ts';

/** Mails as `.eml` files in a folder that only its owner can read: for a machine without a mail server. */
export async function openOutboxMailer(options: {
  readonly dir: string;
  /** `Ares <ares@example.org>` */
  readonly from: string;
}): Promise<Mailer> {
  const { dir, from } = options;
  await preparePrivateFolder(dir);
  return {
    async send(letter) {
      assertLetter(letter);
      try {
        // Named by the mail, so that one that is sent twice is there once.
        const name = letter.id.replaceAll(/[^A-Za-z0-9-]/g, '_').slice(0, 100);
        await writeDurably(join(dir, `${name}.eml`), await toMimeBytes(letter, from));
      } catch (cause) {
        throw new MailerError('UNAVAILABLE', `The outbox ${dir} cannot be written.`, { cause });
      }
    },
    close: async () => undefined,
  };
}
