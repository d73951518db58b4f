import * as z from 'zod/mini';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** UUID in lower case, RFC 9562 text form. Names the logical device, a claim, a command. */
export const uuidSchema = z.string().check(z.regex(UUID, 'must be a UUID in lower case'));

/** 16 random bytes in lower-case hex, drawn at each start of the agent. */
export const bootIdSchema = z.string().check(z.regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hex digits'));

/** Serial number of the board's processor as the kernel shows it: 8 to 32 hex digits, lower case. */
export const cpuSerialSchema = z
  .string()
  .check(z.regex(/^[0-9a-f]{8,32}$/, 'must be 8 to 32 lower-case hex digits'));

/** SHA-256 of the identity key's SubjectPublicKeyInfo (RFC 5280) in lower-case hex. */
export const spkiHashSchema = z.string().check(z.regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'));

/** Names a shared secret: `a<assignment>.<n>`. */
export const keyIdSchema = z
  .string()
  .check(z.regex(/^a[1-9][0-9]{0,9}\.[1-9][0-9]{0,5}$/, 'must look like a1.1'));

/** A component wired to a device; unique in the cloud. */
export const componentIdSchema = z.int().check(z.positive(), z.maximum(2_147_483_647));

/** Grows with each claim of a device. */
export const assignmentSchema = z.int().check(z.positive(), z.maximum(2_147_483_647));

/** `pump`, `dht22`, `soil-moisture`: lower case, digits and inner hyphens. */
export const componentTypeSchema = z
  .string()
  .check(
    z.regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'must be lower-case letters, digits and hyphens'),
    z.maxLength(40),
  );

/** `temperature`, `load_average`: snake case. */
export const metricSchema = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/, 'must be snake_case'), z.maxLength(40));

/** Verb of a command: `on`, `off`, `stop`. */
export const actionSchema = z
  .string()
  .check(
    z.regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'must be lower-case letters, digits and hyphens'),
    z.maxLength(40),
  );

/** Revision of the board design, as printed by `factory-init`: `pi-4`, `pi-5`, `sim-1`. */
export const hardwareVersionSchema = z
  .string()
  .check(z.regex(/^[a-z0-9][a-z0-9.-]{0,39}$/, 'must be lower-case letters, digits, dots and hyphens'));

/** Milliseconds since 1970-01-01T00:00:00Z. */
export const epochMsSchema = z.int().check(z.nonnegative(), z.maximum(8_640_000_000_000_000));

/** E-mail addresses are compared and stored as NFC in lower case. */
export function normalizeEmail(address: string): string {
  return address.trim().normalize('NFC').toLowerCase();
}

/** Whether `text` is a UUID in the one accepted spelling. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
