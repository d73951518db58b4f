import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Letter, Mailer } from '../../cloud/src/ports/mailer.ts';
import { readMail } from '../support/mail-reader.ts';

/** A mailer and what came out of it. */
export interface MailerWorld {
  readonly mailer: Mailer;
  /** Each mail as its bytes. */
  received(): Promise<readonly string[]>;
}

export const FROM = 'Ares <ares@example.org>';

/** What every mailer must do; `make` gives a new one. */
export function describeMailer(name: string, make: () => Promise<MailerWorld>): void {
  const letter = (rest: Partial<Letter> = {}): Letter => ({
    id: randomUUID(),
    to: 'ada@example.org',
    subject: 'A subject',
    text: 'A text.\n',
    ...rest,
  });

  describe(`${name} as a mailer`, () => {
    it('hands over a mail as it was written, in any language', async () => {
      const { mailer, received } = await make();
      const text = 'Grüße aus dem Gewächshaus\n\n.\n\nFrom here on: 温室 🌱\n';
      await mailer.send(letter({ subject: 'Grüße 🌱', text }));
      const [mail, ...more] = (await received()).map(readMail);
      expect(more).toEqual([]);
      expect(mail).toMatchObject({ from: FROM, to: 'ada@example.org', subject: 'Grüße 🌱' });
      expect(mail!.text.replaceAll('\r\n', '\n').trimEnd()).toBe(text.trimEnd());
    });

    it('says that no person wrote it, and when', async () => {
      const { mailer, received } = await make();
      await mailer.send(letter());
      const { headers } = readMail((await received())[0]!);
      expect(headers.get('auto-submitted')).toBe('auto-generated');
      expect(Date.parse(headers.get('date')!)).toBeGreaterThan(Date.now() - 60_000);
    });

    it('gives the same mail the same Message-ID, and another one another', async () => {
      const { mailer, received } = await make();
      const twice = letter();
      await mailer.send(twice);
      const first = (await received()).map(readMail)[0]!.headers.get('message-id');
      await mailer.send(twice);
      await mailer.send(letter());
      const ids = (await received()).map((mail) => readMail(mail).headers.get('message-id'));
      expect(first).toMatch(/^<[0-9a-f]{32}@example\.org>$/);
      expect(new Set(ids).size).toBe(2);
      expect(ids.filter((id) => id !== first)).toHaveLength(1);
    });

    it('sends to one address also where it looks like several', async () => {
      const { mailer, received } = await make();
      const to = 'a+b/c#d@example.org';
      await mailer.send(letter({ to }));
      expect(readMail((await received())[0]!).to).toBe(to);
    });

    it.each([
      ['a header in the subject', { subject: 'Hello\r\nBcc: eve@example.org' }],
      ['a header in the address', { to: 'ada@example.org\nBcc: eve@example.org' }],
      ['no address', { to: ' ' }],
    ])('refuses %s', async (_, rest) => {
      const { mailer, received } = await make();
      await expect(mailer.send(letter(rest))).rejects.toMatchObject({ name: 'MailerError', code: 'REFUSED' });
      expect(await received()).toEqual([]);
    });

    it('fetches nothing that a text points to', async () => {
      const { mailer, received } = await make();
      const text = 'file:///etc/passwd http://127.0.0.1:1/ <img src="cid:x">';
      await mailer.send(letter({ text }));
      expect(readMail((await received())[0]!).text.trimEnd()).toBe(text);
    });
  });
}
