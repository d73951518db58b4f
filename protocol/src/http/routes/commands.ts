import { z } from 'zod';
import { passphraseSchema, ssidSchema } from '../../wifi.ts';
import { page, pageQuery } from '../paging.ts';
import { defineRoute, PUBLIC } from '../route.ts';
import { command, commandStatus, deviceParams, shared, uuid } from '../schemas.ts';

/** Orders to components and to the device. */
export const commandRoutes = {
  sendCommand: defineRoute({
    id: 'sendCommand',
    method: 'POST',
    path: '/api/devices/{id}/command',
    summary: 'Tell a component to act; ?wait=5 waits up to that many seconds for the outcome',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    query: z.strictObject({ wait: z.coerce.number().min(0).max(30).optional() }),
    body: z.strictObject({
      componentId: z.int().positive().optional(),
      componentType: z.string().max(40).optional(),
      action: z
        .string()
        .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'must be lower case')
        .max(40),
      args: z.record(z.string(), z.unknown()).default({}),
      /** How long the command may still begin, in seconds. */
      ttlSeconds: z.number().min(1).max(3_600).default(30),
    }),
    success: { 200: command, 202: z.strictObject({ commandId: uuid }) },
    problems: ['NOT_FOUND', 'AMBIGUOUS_COMPONENT', 'UNKNOWN_ACTION', 'CONFLICT'],
  }),
  listCommands: defineRoute({
    id: 'listCommands',
    method: 'GET',
    path: '/api/devices/{id}/commands',
    summary: 'Commands, newest first',
    policy: 'reader',
    listeners: PUBLIC,
    params: deviceParams,
    query: z.strictObject({ ...pageQuery, status: commandStatus.optional() }),
    success: { 200: page(command) },
    problems: ['NOT_FOUND'],
  }),
  changeWifi: defineRoute({
    id: 'changeWifi',
    method: 'POST',
    path: '/api/devices/{id}/change-wifi',
    summary:
      'Move the device to another Wi-Fi; it keeps it when it reaches the cloud there, else it stays where it is',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    query: z.strictObject({ wait: z.coerce.number().min(0).max(120).optional() }),
    body: z.strictObject({
      ssid: shared(ssidSchema),
      /** WPA passphrase; absent for an open network. */
      password: z.optional(shared(passphraseSchema)),
      /** How long the device may still begin, in seconds. */
      ttlSeconds: z.number().min(1).max(3_600).default(60),
    }),
    success: { 200: command, 202: z.strictObject({ commandId: uuid }) },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
} as const;
