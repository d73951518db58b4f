import { existsSync } from 'node:fs';
import { describeIssues, parseTrustFile } from '@ares/protocol';
import { ensureDurableFile, readFileIfThere } from '../store/durable-file.ts';
import { IdentityError } from './errors.ts';
import type { Trust } from './types.ts';

/**
 * The trust file that this device was given.
 * @throws {IdentityError} TRUST_MISSING, TRUST_INVALID
 */
export function loadTrust(path: string): Trust {
  const text = readFileIfThere(path);
  if (text === undefined) {
    throw new IdentityError(
      'TRUST_MISSING',
      `This device has no trust file (${path}), so it could not tell its cloud from an impostor. Run: ares-agent factory-init --trust FILE`,
    );
  }
  return parseTrust(path, text);
}

/**
 * Takes a trust file into the device. The same one again changes nothing; another one is refused, because it
 * would hand the device over: that is an update signed offline, or a new card.
 *
 * @throws {IdentityError} TRUST_MISSING (no such file), TRUST_INVALID, TRUST_DIFFERS
 */
export function installTrust(path: string, sourcePath: string): Trust {
  const text = readFileIfThere(sourcePath);
  if (text === undefined) throw new IdentityError('TRUST_MISSING', `There is no trust file ${sourcePath}.`);
  const trust = parseTrust(sourcePath, text);
  const content = JSON.stringify(trust, undefined, 2);
  if (ensureDurableFile(path, () => content) !== content) {
    throw new IdentityError(
      'TRUST_DIFFERS',
      `This device trusts another cloud already (${path}). A trust file changes only by a signed update; to start over as a new device, use another state directory.`,
    );
  }
  return trust;
}

/** Where an image may carry its trust file; the first that is there counts. */
export const shippedTrustPlaces: readonly string[] = [
  '/etc/ares-agent/trust.json',
  '/usr/share/ares-agent/trust.json',
];

/**
 * The trust file of this device; on its first start the one that came with its image.
 * @throws {IdentityError} TRUST_MISSING, TRUST_INVALID
 */
export function adoptTrust(path: string, places = shippedTrustPlaces): Trust {
  const shipped = readFileIfThere(path) === undefined ? places.find((place) => existsSync(place)) : undefined;
  return shipped === undefined ? loadTrust(path) : installTrust(path, shipped);
}

function parseTrust(path: string, text: string): Trust {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new IdentityError('TRUST_INVALID', `The trust file ${path} is not JSON.`, { cause });
  }
  const parsed = parseTrustFile(value);
  if (!parsed.ok) {
    throw new IdentityError(
      'TRUST_INVALID',
      `The trust file ${path} is not valid: ${describeIssues(parsed.issues)}`,
    );
  }
  return parsed.value;
}
