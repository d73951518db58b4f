import { z } from 'zod';
import { defineRoute, PUBLIC } from '../route.ts';
import { email, password, session, user } from '../schemas.ts';

/** Accounts and sessions. */
export const accountRoutes = {
  register: defineRoute({
    id: 'register',
    method: 'POST',
    path: '/auth/register',
    summary: 'Make an account',
    policy: 'anyone',
    listeners: PUBLIC,
    body: z.strictObject({ email, password }),
    success: { 201: session },
    problems: ['EMAIL_TAKEN'],
  }),
  login: defineRoute({
    id: 'login',
    method: 'POST',
    path: '/auth/login',
    summary: 'Sign in',
    policy: 'anyone',
    listeners: PUBLIC,
    body: z.strictObject({ email: z.string().max(254), password: z.string().max(200) }),
    success: { 200: session },
    problems: ['BAD_CREDENTIALS'],
  }),
  me: defineRoute({
    id: 'me',
    method: 'GET',
    path: '/api/users/me',
    summary: 'The account that is signed in',
    policy: 'user',
    listeners: PUBLIC,
    success: { 200: user },
    problems: [],
  }),
} as const;
