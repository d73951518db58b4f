import { z } from 'zod';
import { defineRoute, PUBLIC } from '../route.ts';
import { email, notificationSettings, password, session, user } from '../schemas.ts';

/** Six digits that came by e-mail. */
const code = z.string().regex(/^\d{6}$/, 'must be the six digits of the mail');
/** As typed, whatever an address of before may have looked like. */
const anyEmail = z.string().max(254);
const anyPassword = z.string().max(200);
const refreshToken = z.string().max(200);

const TIME_ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/;
const LOCALE = /^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/;

/** What a person tells about himself; what is left out stays as it is. */
export const profile = {
  displayName: z
    .string()
    .trim()
    .min(1)
    .max(80)
    .regex(/^\P{Cc}*$/u, 'must hold no control characters')
    .nullable()
    .optional(),
  locale: z.string().max(35).regex(LOCALE, 'must be a language tag like de or en-GB').nullable().optional(),
  timeZone: z
    .string()
    .max(64)
    .regex(TIME_ZONE, 'must be a time zone like Europe/Berlin')
    .nullable()
    .optional(),
};

/** Accounts and sessions. */
export const accountRoutes = {
  register: defineRoute({
    id: 'register',
    method: 'POST',
    path: '/auth/register',
    summary: 'Make an account; a code to verify the e-mail is sent',
    policy: 'anyone',
    listeners: PUBLIC,
    body: z.strictObject({ email, password }),
    success: { 201: session },
    problems: ['EMAIL_TAKEN'],
  }),
  verifyEmail: defineRoute({
    id: 'verifyEmail',
    method: 'POST',
    path: '/auth/verify-email',
    summary: 'Show the code that was mailed to a new address',
    policy: 'anyone',
    listeners: PUBLIC,
    body: z.strictObject({ email: anyEmail, code }),
    success: { 204: null },
    problems: ['CODE_INVALID', 'EMAIL_TAKEN'],
  }),
  login: defineRoute({
    id: 'login',
    method: 'POST',
    path: '/auth/login',
    summary: 'Sign in',
    policy: 'anyone',
    listeners: PUBLIC,
    body: z.strictObject({ email: anyEmail, password: anyPassword }),
    success: { 200: session },
    problems: ['BAD_CREDENTIALS'],
  }),
  refresh: defineRoute({
    id: 'refresh',
    method: 'POST',
    path: '/auth/refresh',
    summary: 'Exchange a refresh token for new tokens; one that is used twice ends the session',
    policy: 'anyone',
    listeners: PUBLIC,
    body: z.strictObject({ refreshToken }),
    success: { 200: session },
    problems: ['TOKEN_INVALID'],
  }),
  logout: defineRoute({
    id: 'logout',
    method: 'POST',
    path: '/auth/logout',
    summary: 'End the session of a refresh token',
    policy: 'anyone',
    listeners: PUBLIC,
    body: z.strictObject({ refreshToken }),
    success: { 204: null },
    problems: [],
  }),
  forgotPassword: defineRoute({
    id: 'forgotPassword',
    method: 'POST',
    path: '/auth/forgot-password',
    summary: 'Have a code mailed to set a new password; the same answer for any address',
    policy: 'anyone',
    listeners: PUBLIC,
    body: z.strictObject({ email: anyEmail }),
    success: { 204: null },
    problems: [],
  }),
  resetPassword: defineRoute({
    id: 'resetPassword',
    method: 'POST',
    path: '/auth/reset-password',
    summary: 'Set a new password with the code; ends all sessions',
    policy: 'anyone',
    listeners: PUBLIC,
    body: z.strictObject({ email: anyEmail, code, password }),
    success: { 204: null },
    problems: ['CODE_INVALID'],
  }),
  accessTokenKeys: defineRoute({
    id: 'accessTokenKeys',
    method: 'GET',
    path: '/.well-known/jwks.json',
    summary: 'Public keys of the access tokens (RFC 7517)',
    cacheSeconds: 3_600,
    policy: 'anyone',
    listeners: PUBLIC,
    success: {
      200: z.strictObject({
        keys: z.array(
          z.strictObject({
            kty: z.literal('OKP'),
            crv: z.literal('Ed25519'),
            x: z.string(),
            kid: z.string(),
            alg: z.literal('EdDSA'),
            use: z.literal('sig'),
          }),
        ),
      }),
    },
    problems: [],
  }),
  me: defineRoute({
    id: 'me',
    method: 'GET',
    path: '/api/users/me',
    summary: 'The account that is signed in',
    policy: 'account',
    etag: true,
    listeners: PUBLIC,
    success: { 200: user },
    problems: [],
  }),
  updateMe: defineRoute({
    id: 'updateMe',
    method: 'PUT',
    path: '/api/users/me',
    summary: 'Change profile and notifications; what is left out stays',
    policy: 'account',
    etag: true,
    listeners: PUBLIC,
    body: z.strictObject({ ...profile, notifications: notificationSettings.partial().optional() }),
    success: { 200: user },
    problems: ['PRECONDITION_FAILED'],
  }),
  deleteMe: defineRoute({
    id: 'deleteMe',
    method: 'DELETE',
    path: '/api/users/me',
    summary: 'Delete the account: all devices are unlinked and reset, what is personal is erased',
    policy: 'account',
    listeners: PUBLIC,
    body: z.strictObject({ password: anyPassword }),
    success: { 204: null },
    problems: ['BAD_CREDENTIALS', 'LAST_ADMINISTRATOR'],
  }),
  changePassword: defineRoute({
    id: 'changePassword',
    method: 'PUT',
    path: '/api/users/me/password',
    summary: 'Change the password; ends all other sessions',
    policy: 'account',
    listeners: PUBLIC,
    body: z.strictObject({ oldPassword: anyPassword, newPassword: password }),
    success: { 204: null },
    problems: ['BAD_CREDENTIALS'],
  }),
  changeEmail: defineRoute({
    id: 'changeEmail',
    method: 'PUT',
    path: '/api/users/me/email',
    summary: 'Change the e-mail; a code goes to the new address, to be shown to /auth/verify-email',
    policy: 'account',
    listeners: PUBLIC,
    body: z.strictObject({ email, password: anyPassword }),
    success: { 204: null },
    problems: ['BAD_CREDENTIALS'],
  }),
  resendVerification: defineRoute({
    id: 'resendVerification',
    method: 'POST',
    path: '/api/users/me/verification',
    summary: 'Have the code to verify the e-mail mailed again',
    policy: 'account',
    listeners: PUBLIC,
    success: { 204: null },
    problems: [],
  }),
} as const;
