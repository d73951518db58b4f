import { z } from 'zod';
import { defineRoute, PUBLIC } from '../route.ts';
import { component, deviceParams, list, newComponent, uuid } from '../schemas.ts';

const componentParams = z.strictObject({ id: uuid, componentId: z.coerce.number().int().positive() });

/** Components of devices. */
export const componentRoutes = {
  listComponents: defineRoute({
    id: 'listComponents',
    method: 'GET',
    path: '/api/components/devices/{id}/components',
    summary: 'Components attached to the device',
    policy: 'reader',
    listeners: PUBLIC,
    params: deviceParams,
    success: { 200: list(component) },
    problems: ['NOT_FOUND'],
  }),
  attachComponent: defineRoute({
    id: 'attachComponent',
    method: 'POST',
    path: '/api/components/devices/{id}/components',
    summary: 'Attach a component; takes effect on the device without a restart',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    body: newComponent,
    success: { 201: component },
    problems: ['NOT_FOUND', 'PIN_CONFLICT', 'PIN_NOT_ALLOWED', 'PIN_RESERVED'],
  }),
  getComponent: defineRoute({
    id: 'getComponent',
    method: 'GET',
    path: '/api/components/devices/{id}/components/{componentId}',
    summary: 'One component',
    policy: 'reader',
    listeners: PUBLIC,
    params: componentParams,
    etag: true,
    success: { 200: component },
    problems: ['NOT_FOUND'],
  }),
  updateComponent: defineRoute({
    id: 'updateComponent',
    method: 'PUT',
    path: '/api/components/devices/{id}/components/{componentId}',
    summary: 'Change name or settings; what is left out stays. The device loads it anew without a restart',
    policy: 'owner',
    listeners: PUBLIC,
    params: componentParams,
    body: z.strictObject({
      name: z.string().min(1).max(80).nullable().optional(),
      config: z.record(z.string(), z.unknown()).optional(),
    }),
    etag: true,
    success: { 200: component },
    problems: ['NOT_FOUND', 'PRECONDITION_FAILED'],
  }),
  detachComponent: defineRoute({
    id: 'detachComponent',
    method: 'DELETE',
    path: '/api/components/devices/{id}/components/{componentId}',
    summary: 'Detach a component',
    policy: 'owner',
    listeners: PUBLIC,
    params: componentParams,
    success: { 204: null },
    problems: ['NOT_FOUND'],
  }),
} as const;
