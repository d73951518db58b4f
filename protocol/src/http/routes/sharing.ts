import { z } from 'zod';
import { page, pageQuery } from '../paging.ts';
import { defineRoute, PUBLIC } from '../route.ts';
import { deviceParams, email, isoTime, uuid } from '../schemas.ts';

const viewer = z
  .strictObject({
    viewerId: uuid,
    /** As the owner wrote it. Whether anybody has an account with it is not told. */
    email: z.string(),
    sharedAt: isoTime,
  })
  .meta({ id: 'Viewer' });

/** Who else may see a device. */
export const sharingRoutes = {
  listViewers: defineRoute({
    id: 'listViewers',
    method: 'GET',
    path: '/api/devices/{id}/viewers',
    summary: 'Whom the device is shared with, by address',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    query: z.strictObject({ ...pageQuery }),
    success: { 200: page(viewer) },
    problems: ['NOT_FOUND'],
  }),
  shareDevice: defineRoute({
    id: 'shareDevice',
    method: 'POST',
    path: '/api/devices/{id}/viewers',
    summary:
      'Let a person see the device: at once, or as soon as he has an account with this confirmed address',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({ email }),
    success: { 201: viewer },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
  // Before the route with a parameter in its place.
  leaveDevice: defineRoute({
    id: 'leaveDevice',
    method: 'DELETE',
    path: '/api/devices/{id}/viewers/me',
    summary: 'As a viewer: see the device no more',
    policy: 'reader',
    listeners: PUBLIC,
    params: deviceParams,
    success: { 204: null },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
  stopSharing: defineRoute({
    id: 'stopSharing',
    method: 'DELETE',
    path: '/api/devices/{id}/viewers/{viewerId}',
    summary: 'Share the device with this person no more; his streams end, and its past is closed to him too',
    policy: 'owner',
    listeners: PUBLIC,
    params: z.strictObject({ id: uuid, viewerId: uuid }),
    success: { 204: null },
    problems: ['NOT_FOUND'],
  }),
} as const;
