import { z } from 'zod';
import { page, pageQuery } from '../paging.ts';
import { defineRoute, PUBLIC } from '../route.ts';
import { email, isoTime, password, user, uuid } from '../schemas.ts';
import { profile } from './accounts.ts';

const userParams = z.strictObject({ userId: uuid });
const role = z.enum(['prime_admin', 'general_admin', 'developer']);

const managedUser = z
  .strictObject({ ...user.shape, suspended: z.boolean(), devices: z.int(), lastSignIn: isoTime.nullable() })
  .meta({ id: 'ManagedUser' });

/** Accounts as administrators see them. */
export const userRoutes = {
  listUsers: defineRoute({
    id: 'listUsers',
    method: 'GET',
    path: '/api/users',
    summary: 'Accounts, by part of the e-mail, role, and whether they are suspended',
    policy: 'admin',
    listeners: PUBLIC,
    query: z.strictObject({
      ...pageQuery,
      /** A part of the address. */
      email: z.string().min(1).max(254).optional(),
      role: role.optional(),
      suspended: z
        .enum(['true', 'false'])
        .transform((word) => word === 'true')
        .optional(),
      sort: z.enum(['email', '-email', 'createdAt', '-createdAt']).default('email'),
    }),
    success: { 200: page(managedUser) },
    problems: [],
  }),
  createUser: defineRoute({
    id: 'createUser',
    method: 'POST',
    path: '/api/users',
    summary: 'Make an account; without a password its owner is mailed a code to set one',
    policy: 'admin',
    listeners: PUBLIC,
    body: z.strictObject({
      email,
      password: password.optional(),
      displayName: profile.displayName,
      roles: z.array(role).max(3).default([]),
    }),
    success: { 201: managedUser },
    problems: ['EMAIL_TAKEN'],
  }),
  getUser: defineRoute({
    id: 'getUser',
    method: 'GET',
    path: '/api/users/{userId}',
    summary: 'One account',
    policy: 'admin',
    etag: true,
    listeners: PUBLIC,
    params: userParams,
    success: { 200: managedUser },
    problems: ['NOT_FOUND'],
  }),
  updateUser: defineRoute({
    id: 'updateUser',
    method: 'PUT',
    path: '/api/users/{userId}',
    summary: 'Change the profile of an account; what is left out stays',
    policy: 'admin',
    etag: true,
    listeners: PUBLIC,
    params: userParams,
    body: z.strictObject(profile),
    success: { 200: managedUser },
    problems: ['NOT_FOUND', 'PRECONDITION_FAILED'],
  }),
  suspendUser: defineRoute({
    id: 'suspendUser',
    method: 'POST',
    path: '/api/users/{userId}/suspend',
    summary: 'Lock an account: its sessions and streams end at once, its devices work on',
    policy: 'admin',
    listeners: PUBLIC,
    params: userParams,
    success: { 200: managedUser },
    problems: ['LAST_ADMINISTRATOR', 'NOT_FOUND'],
  }),
  unsuspendUser: defineRoute({
    id: 'unsuspendUser',
    method: 'POST',
    path: '/api/users/{userId}/unsuspend',
    summary: 'Let a suspended account sign in again',
    policy: 'admin',
    listeners: PUBLIC,
    params: userParams,
    success: { 200: managedUser },
    problems: ['NOT_FOUND'],
  }),
  grantRole: defineRoute({
    id: 'grantRole',
    method: 'PUT',
    path: '/api/users/{userId}/roles/{role}',
    summary: 'Give a role; only a prime_admin gives the roles of administrators',
    policy: 'admin',
    listeners: PUBLIC,
    params: z.strictObject({ userId: uuid, role }),
    success: { 200: managedUser },
    problems: ['NOT_FOUND'],
  }),
  takeRole: defineRoute({
    id: 'takeRole',
    method: 'DELETE',
    path: '/api/users/{userId}/roles/{role}',
    summary: 'Take a role away; only a prime_admin takes the roles of administrators',
    policy: 'admin',
    listeners: PUBLIC,
    params: z.strictObject({ userId: uuid, role }),
    success: { 200: managedUser },
    problems: ['LAST_ADMINISTRATOR', 'NOT_FOUND'],
  }),
} as const;
