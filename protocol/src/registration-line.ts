import * as z from 'zod/mini';
import { cpuSerialSchema, hardwareVersionSchema, spkiHashSchema, uuidSchema } from './ids.ts';
import { type Parsed, parseWith } from './parse.ts';

/** What the cloud must know of a device before it can be claimed. Nothing of it is secret, nothing of it a proof. */
export const registrationSchema = z.strictObject({
  cpuSerial: cpuSerialSchema,
  deviceUuid: uuidSchema,
  /** Hex SHA-256 of the identity key's SPKI; absent where the administrator registers a serial alone. */
  identityKeyHash: spkiHashSchema,
  hardwareVersion: hardwareVersionSchema,
  hardwareVariant: hardwareVersionSchema,
});
export type Registration = z.infer<typeof registrationSchema>;

/** The line that `ares-agent factory-init` prints and `ares device preregister` takes. */
export function formatRegistrationLine(registration: Registration): string {
  const { cpuSerial, deviceUuid, identityKeyHash, hardwareVersion, hardwareVariant } = registration;
  return ['ares1', cpuSerial, deviceUuid, identityKeyHash, hardwareVersion, hardwareVariant].join(':');
}

/** Inverse of {@link formatRegistrationLine}. */
export function parseRegistrationLine(line: string): Parsed<Registration> {
  const parts = line.trim().split(':');
  if (parts[0] !== 'ares1' || parts.length !== 6) {
    return {
      ok: false,
      issues: [
        {
          path: '',
          message:
            'not a registration line: expected ares1:<serial>:<uuid>:<key hash>:<version>:<variant> as printed by factory-init',
        },
      ],
    };
  }
  const [, cpuSerial, deviceUuid, identityKeyHash, hardwareVersion, hardwareVariant] = parts;
  return parseWith(registrationSchema, {
    cpuSerial,
    deviceUuid,
    identityKeyHash,
    hardwareVersion,
    hardwareVariant,
  });
}
