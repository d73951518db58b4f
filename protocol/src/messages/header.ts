import * as z from 'zod/mini';
import {
  assignmentSchema,
  bootIdSchema,
  cpuSerialSchema,
  epochMsSchema,
  hardwareVersionSchema,
  keyIdSchema,
} from '../ids.ts';

/** Newest version of the messages; it and the one before are accepted. */
export const MESSAGE_VERSION = 1;
/** `sentAt` lies within this of cloud time, in milliseconds. */
export const SENT_AT_TOLERANCE_MS = 300_000;

/** Members that every signed message from a device carries. */
export const messageHeader = {
  v: z.literal(MESSAGE_VERSION),
  /** Names the shared secret that signed. */
  kid: keyIdSchema,
  assignment: assignmentSchema,
  /** The boot that this message speaks of: for readings the boot that measured them. */
  bootId: bootIdSchema,
  bootCount: z.int().check(z.positive(), z.maximum(2_147_483_647)),
  /** Device time of sending; `null` while the device has no trusted clock. */
  sentAt: z.nullable(epochMsSchema),
  /** Monotonic milliseconds since the start of `bootId`: now for the running boot, its end for an earlier one. */
  uptimeMs: z.int().check(z.nonnegative()),
  cpuSerial: cpuSerialSchema,
  hardwareVersion: hardwareVersionSchema,
  hardwareVariant: hardwareVersionSchema,
} as const;

const headerSchema = z.strictObject(messageHeader);
export type MessageHeader = z.infer<typeof headerSchema>;
