import { createHmac, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Mac } from '../src/signed-message.ts';

/** A file of `protocol/fixtures`. */
export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8')) as T;
}

/** The MAC as agent and cloud make it. */
export function macOf(keyHex: string): Mac {
  const key = createSecretKey(Buffer.from(keyHex, 'hex'));
  return (chunks) => {
    const hmac = createHmac('sha256', key);
    for (const chunk of chunks) hmac.update(chunk);
    return hmac.digest('hex');
  };
}
