import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatSetupCode } from '@ares/protocol/ble';
import { readFileIfThere } from '../store/durable-file.ts';

const secretName = /password|passphrase|psk|secret|nonce|token|pem|private/i;
/** Shorter ones would take half of every text with them. */
const SHORTEST = 6;
const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const assigned =
  /\b(password|passphrase|psk|secret|token)(["']?\s*[=:]\s*)(?!null\b|\[removed\])("[^"]*"|'[^']*'|[^\s,;}]+)/gi;

/**
 * Takes everything secret of this device out of a text. A bundle for support is made of parts that hold none of it;
 * this is for the day when a library logs what it should not.
 */
export function createRedactor(stateDir: string): (text: string) => string {
  const secrets = [...new Set(readdirSync(stateDir).flatMap((name) => secretsOf(join(stateDir, name), name)))]
    .filter((secret) => secret.length >= SHORTEST)
    .sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text.replaceAll(privateKey, '[removed]');
    for (const secret of secrets) clean = clean.replaceAll(secret, '[removed]');
    return clean.replaceAll(assigned, '$1$2[removed]');
  };
}

function secretsOf(path: string, name: string): string[] {
  // Public: certificates, which are not secret, look like keys here.
  if (name === 'trust.json') return [];
  if (name === 'setup-code') return setupCodeForms(readFileIfThere(path)?.trim() ?? '');
  if (name.endsWith('.pem')) return formsOf(readFileIfThere(path) ?? '');
  if (!/\.json$|\.tmp$/.test(name)) return [];
  try {
    return valuesOf(JSON.parse(readFileIfThere(path) ?? 'null'), false);
  } catch {
    return [];
  }
}

function valuesOf(value: unknown, isSecret: boolean): string[] {
  if (typeof value === 'string') return isSecret ? formsOf(value) : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => valuesOf(inner, isSecret || secretName.test(name)));
}

/** As it is, as JSON writes it, and each long line of a PEM. */
function formsOf(text: string): string[] {
  const lines = text.split('\n').filter((line) => line.length >= 16 && !line.startsWith('-----'));
  return [text.trim(), JSON.stringify(text).slice(1, -1), ...lines];
}

function setupCodeForms(hex: string): string[] {
  if (!/^[0-9a-f]{32}$/.test(hex)) return [hex];
  const code = Buffer.from(hex, 'hex');
  const text = formatSetupCode(code);
  return [
    hex,
    hex.toUpperCase(),
    text,
    text.replaceAll('-', ''),
    code.toString('base64'),
    code.toString('base64url'),
  ];
}
