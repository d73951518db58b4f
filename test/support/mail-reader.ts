/** A mail of one text part, read as a mail program does. */
export interface ReadMail {
  readonly headers: ReadonlyMap<string, string>;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export function readMail(raw: string): ReadMail {
  const [head, ...rest] = raw.replaceAll(/\r?\n/g, '\r\n').split('\r\n\r\n');
  const headers = new Map(
    head!
      .replaceAll(/\r\n[ \t]+/g, ' ')
      .split('\r\n')
      .map((line) => {
        const at = line.indexOf(':');
        return [line.slice(0, at).toLowerCase(), decodeWords(line.slice(at + 1).trim())] as const;
      }),
  );
  const of = (name: string) => headers.get(name) ?? '';
  const text = decodeBody(rest.join('\r\n\r\n'), of('content-transfer-encoding').toLowerCase());
  return { headers, from: of('from'), to: of('to'), subject: of('subject'), text };
}

/** RFC 2047. */
function decodeWords(value: string): string {
  return value
    .replaceAll(/\?=\s+=\?/g, '?==?')
    .replaceAll(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, kind: string, word: string) =>
      kind.toLowerCase() === 'b'
        ? Buffer.from(word, 'base64').toString('utf8')
        : quotedPrintable(word.replaceAll('_', ' ')),
    );
}

function decodeBody(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  return encoding === 'quoted-printable' ? quotedPrintable(body.replaceAll(/=\r\n/g, '')) : body;
}

function quotedPrintable(text: string): string {
  const bytes = text.replaceAll(/=([0-9A-F]{2})/gi, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
