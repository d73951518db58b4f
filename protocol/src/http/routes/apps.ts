import { z } from 'zod';
import { defineRoute, PUBLIC } from '../route.ts';
import { isoTime, uuid } from '../schemas.ts';

/** How an app reaches the broker by itself. */
export const appRoutes = {
  appCertificate: defineRoute({
    id: 'appCertificate',
    method: 'POST',
    path: '/api/app-certificates',
    summary: "A certificate for a day, by which the app speaks MQTT with its user's rights",
    policy: 'user',
    listeners: PUBLIC,
    body: z.strictObject({
      /** DER of the PKCS#10 request (RFC 2986) in base64url; of it only the key, P-256, is used. */
      csr: z
        .string()
        .max(4_000)
        .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url'),
    }),
    success: {
      201: z.strictObject({
        /** Name in the certificate, and the client id. */
        appUuid: uuid,
        /** PEM: leaf first, then the issuing certificate. */
        certificateChain: z.string(),
        /** PEM; what the broker's certificate is to be verified against. */
        caCertificates: z.array(z.string()),
        /** The rights end earlier, with the session or the account. */
        expiresAt: isoTime,
        mqtt: z.strictObject({ host: z.string(), port: z.int() }),
        /** Each is followed by the UUID of a device. */
        topics: z.strictObject({ requestState: z.string(), state: z.string() }),
      }),
    },
    problems: ['BAD_CSR', 'UNAVAILABLE'],
  }),
} as const;
