import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Something that may stand nowhere but where it belongs. */
export interface Canary {
  readonly name: string;
  readonly value: string | Uint8Array;
}

/** The shortest part of a text that is looked for in an encoding: shorter ones are found by chance. */
const LEAST = 12;

/** All ways in which somebody could have written it. */
function formsOf({ value }: Canary): string[] {
  const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value);
  const encoded = (['base64', 'base64url', 'hex'] as const).map((encoding) =>
    // Without its end, which depends on what follows.
    bytes.toString(encoding).replace(/=+$/, '').slice(0, -2),
  );
  const quoted =
    typeof value === 'string' ? [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)] : [];
  return [...new Set([...quoted, ...encoded.filter((text) => text.length >= LEAST)])];
}

/** Names of the canaries that stand in this text. */
export function canariesIn(text: string, canaries: readonly Canary[]): string[] {
  return canaries
    .filter((canary) =>
      formsOf(canary).some((form) =>
        /^\d{1,8}$/.test(form) ? new RegExp(`(?<!\\d)${form}(?!\\d)`).test(text) : text.includes(form),
      ),
    )
    .map(({ name }) => name);
}

/** Every file below a folder, sockets aside. */
export function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}

/** Private keys (PEM) in these files, each line of base64 that tells something. */
export function privateKeysIn(paths: readonly string[]): Canary[] {
  return paths.flatMap((path) => {
    const text = readFileSync(path, 'latin1');
    const keys = text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----\s+([\w+/=\s]+?)-----END/g);
    return [...keys].map(([, body]) => ({
      name: `private key of ${path}`,
      // The beginning says only of what kind it is.
      value: body!.replaceAll(/\s/g, '').slice(-48, -4),
    }));
  });
}
