import { z } from 'zod';
import { page, pageQuery } from '../paging.ts';
import { defineRoute, PUBLIC } from '../route.ts';
import { isoTime, uuid } from '../schemas.ts';

const auditEntry = z
  .strictObject({
    id: z.int(),
    at: isoTime,
    /** Absent: a device, or the cloud itself. */
    actor: z.strictObject({ userId: uuid, email: z.string() }).nullable(),
    action: z.string(),
    objectType: z.string(),
    objectId: z.string(),
    detail: z.record(z.string(), z.unknown()),
    /** IP address. */
    source: z.string().nullable(),
    /** Place in the chain that `ares audit verify` checks; a row is given it within a minute. */
    chainSeq: z.int().nullable(),
  })
  .meta({ id: 'AuditEntry' });

/** Who did what. */
export const auditRoutes = {
  audit: defineRoute({
    id: 'audit',
    method: 'GET',
    path: '/api/audit',
    summary: 'Who did what to which object from where, newest first',
    policy: 'admin',
    listeners: PUBLIC,
    query: z.strictObject({
      ...pageQuery,
      actor: uuid.optional(),
      /** `device.block`, or everything of devices by `device.` */
      action: z
        .string()
        .regex(/^[a-z][a-z-]*\.?([a-z-]+)?$/, 'must be like device.block, or device. for all of them')
        .max(80)
        .optional(),
      objectType: z.string().max(40).optional(),
      objectId: z.string().max(80).optional(),
      from: isoTime.optional(),
      to: isoTime.optional(),
    }),
    success: { 200: page(auditEntry) },
    problems: [],
  }),
} as const;
