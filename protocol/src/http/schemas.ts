import { z } from 'zod';
import { problemCodes } from '../problems.ts';

const DEVICE_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const uuid = z.string().regex(DEVICE_UUID, 'must be a UUID in lower case');
export const isoTime = z.iso.datetime({ offset: true });
/** Letters of any script, and `+ / #`, are allowed; control characters are not. */
export const email = z
  .email({ pattern: z.regexes.unicodeEmail, error: 'must be an e-mail address' })
  .max(254)
  .regex(/^\P{Cc}*$/u, 'must hold no control characters');
export const deviceParams = z.strictObject({ id: uuid });
export const list = <S extends z.ZodType>(item: S) => z.strictObject({ items: z.array(item) });

export const problemDetails = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(problemCodes),
    detail: z.string(),
    issues: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
    requestId: z.string().optional(),
  })
  .meta({ id: 'Problem' });

/** Mails that a person may want or not; those about his own account always come. */
export const notificationSettings = z
  .strictObject({
    /** When somebody signs in to the account. */
    signIn: z.boolean(),
    /** When something is wrong with a device of his; administrators: with any device, or the cloud. */
    alerts: z.boolean(),
  })
  .meta({ id: 'NotificationSettings' });

export const user = z
  .strictObject({
    userId: uuid,
    email: z.string(),
    /** Whether the person showed that he reads the mail of this address. */
    emailVerified: z.boolean(),
    roles: z.array(z.string()),
    displayName: z.string().nullable(),
    /** BCP 47. */
    locale: z.string().nullable(),
    /** IANA name. */
    timeZone: z.string().nullable(),
    notifications: notificationSettings,
    createdAt: isoTime,
  })
  .meta({ id: 'User' });

export const session = z
  .strictObject({
    accessToken: z.string(),
    tokenType: z.literal('Bearer'),
    expiresInSeconds: z.int(),
    /** Opaque, for one use: exchange it for new tokens before the access token ends. */
    refreshToken: z.string(),
    refreshExpiresInSeconds: z.int(),
    user,
  })
  .meta({ id: 'Session' });

/** Name of a hardware version, or of a variant of it. */
export const hardwareName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,39}$/, 'must be lower-case letters, digits, dots and hyphens');

export const presence = z.enum(['ONLINE', 'OFFLINE', 'TIMEOUT']);
export const lifeCycle = z.enum([
  'REGISTERED',
  'ACTIVE',
  'RECOVERY_NEEDED',
  'QUARANTINED',
  'BLOCKED',
  'RELEASED',
]);

export const device = z
  .strictObject({
    deviceUuid: uuid,
    nickname: z.string().nullable(),
    lifeCycle,
    presence,
    hardwareVersion: z.string(),
    hardwareVariant: z.string(),
    cpuSerial: z.string(),
    lastSeen: isoTime.nullable(),
    /** The caller's right on it. */
    role: z.enum(['owner', 'viewer', 'admin']),
    claimedAt: isoTime.nullable(),
  })
  .meta({ id: 'Device' });

export const stateDocument = z
  .looseObject({
    deviceUuid: uuid,
    nickname: z.string().nullable(),
    device_status: z.enum(['ONLINE', 'OFFLINE', 'Timeout']),
    lastSeen: isoTime.nullable(),
    components: z.array(
      z.strictObject({
        componentId: z.int(),
        componentType: z.string(),
        name: z.string().optional(),
        status: z.enum(['OK', 'STALE', 'ERROR']),
        reason: z.string().optional(),
        metrics: z.record(
          z.string(),
          z.strictObject({ value: z.number(), unit: z.string(), measuredAt: isoTime }),
        ),
      }),
    ),
  })
  .meta({ id: 'StateDocument' });

export const storedReading = z
  .strictObject({
    componentId: z.int(),
    componentType: z.string(),
    metric: z.string(),
    unit: z.string(),
    value: z.number(),
    measuredAt: isoTime,
    /** The time was worked out by the cloud: the device had no trusted clock. */
    timeEstimated: z.boolean(),
    quality: z.enum(['good', 'suspect']),
  })
  .meta({ id: 'Reading' });

export const component = z
  .strictObject({
    componentId: z.int(),
    componentType: z.string(),
    name: z.string().optional(),
    pins: z.record(z.string(), z.int()),
    config: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Component' });

export const newComponent = z
  .strictObject({
    componentType: z.string().min(1).max(40),
    name: z.string().min(1).max(80).optional(),
    pins: z.record(z.string(), z.int().min(0).max(53)).default({}),
    config: z.record(z.string(), z.unknown()).default({}),
  })
  .meta({ id: 'NewComponent' });

export const commandStatus = z.enum([
  'PENDING',
  'COMPLETED',
  'FAILED',
  'REJECTED',
  'EXPIRED',
  'STALE',
  'UNKNOWN',
]);

export const command = z
  .strictObject({
    commandId: uuid,
    /** 0 with type `wifi`: the device itself, told to change its network. */
    componentId: z.int(),
    componentType: z.string(),
    action: z.string(),
    args: z.record(z.string(), z.unknown()),
    /** `PENDING` until the device answers or the command expires; every other value is final. */
    status: commandStatus,
    code: z.string().optional(),
    detail: z.string().optional(),
    verified: z.boolean().optional(),
    leaseEndsAt: isoTime.optional(),
    createdAt: isoTime,
    expiresAt: isoTime,
    finishedAt: isoTime.nullable(),
  })
  .meta({ id: 'Command' });

export const password = z.string().min(10, 'must have at least 10 characters').max(200);

/** A zod/mini schema of the device calls, as the contract's schema type. */
export const shared = <S extends z.core.$ZodType>(schema: S) =>
  schema as unknown as z.ZodType<z.core.output<S>, z.core.input<S>>;
