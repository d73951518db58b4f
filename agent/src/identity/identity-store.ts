import { randomBytes, randomUUID } from 'node:crypto';
import { hardwareVersionSchema, isUuid, parseWith } from '@ares/protocol';
import { ensureDurableFile, readFileIfThere } from '../store/durable-file.ts';
import { type BoardFiles, readCpuSerial } from './board.ts';
import type { DevicePaths } from './device-paths.ts';
import { IdentityError } from './errors.ts';
import { createPrivateKeyPem, publicKeyOf, sha256Hex } from './keys.ts';
import type { DeviceIdentity } from './types.ts';

/** Who the device is, with its two secrets. */
export interface LocalIdentity {
  readonly identity: DeviceIdentity;
  readonly identityKeyPem: string;
  /** Lower-case hex SHA-256 of the identity key's SPKI. */
  readonly identityKeyHash: string;
  /** 16 bytes, lower-case hex. */
  readonly setupCodeHex: string;
}

/**
 * Reads the identity and makes what is missing: UUID, identity key and setup code on first boot, each once.
 * What is there is never replaced: a second UUID or key would be another device for the cloud.
 *
 * @param make.hardwareVersion used only when the device has no identity yet
 * @throws {IdentityError} SERIAL_UNREADABLE, IDENTITY_DAMAGED
 */
export function openIdentity(
  paths: DevicePaths,
  board: BoardFiles,
  make: { readonly hardwareVersion: string; readonly hardwareVariant: string },
): LocalIdentity {
  const cpuSerial = readCpuSerial(board);
  const stored = ensureDurableFile(paths.identity, () =>
    JSON.stringify({ v: 1, deviceUuid: randomUUID(), ...make }, undefined, 2),
  );
  const identityKeyPem = ensureDurableFile(paths.identityKey, createPrivateKeyPem);
  const setupCodeHex = ensureDurableFile(paths.setupCode, () => randomBytes(16).toString('hex')).trim();
  if (!/^[0-9a-f]{32}$/.test(setupCodeHex)) throw damaged(paths.setupCode);
  return {
    identity: { ...parseIdentity(paths.identity, stored), cpuSerial },
    identityKeyPem,
    identityKeyHash: hashOf(paths.identityKey, identityKeyPem),
    setupCodeHex,
  };
}

/** The identity of a device that has one. @throws {IdentityError} SERIAL_UNREADABLE, IDENTITY_DAMAGED */
export function readIdentity(paths: DevicePaths, board: BoardFiles): DeviceIdentity {
  const stored = readFileIfThere(paths.identity);
  if (stored === undefined) throw damaged(paths.identity);
  return { ...parseIdentity(paths.identity, stored), cpuSerial: readCpuSerial(board) };
}

function parseIdentity(path: string, text: string): Omit<DeviceIdentity, 'cpuSerial'> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, cause);
  }
  const { deviceUuid, hardwareVersion, hardwareVariant } = value as Record<string, unknown>;
  const version = parseWith(hardwareVersionSchema, hardwareVersion);
  const variant = parseWith(hardwareVersionSchema, hardwareVariant);
  if (typeof deviceUuid !== 'string' || !isUuid(deviceUuid) || !version.ok || !variant.ok)
    throw damaged(path);
  return { deviceUuid, hardwareVersion: version.value, hardwareVariant: variant.value };
}

function hashOf(path: string, pem: string): string {
  try {
    return sha256Hex(publicKeyOf(pem));
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function damaged(path: string, cause?: unknown): IdentityError {
  return new IdentityError(
    'IDENTITY_DAMAGED',
    `${path} cannot be read. Restore it from a backup; if there is none, move the state directory away, start the agent again and register the device anew.`,
    { cause },
  );
}
