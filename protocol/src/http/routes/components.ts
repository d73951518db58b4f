import { z } from 'zod';
import { componentTypeDefinitionSchema } from '../../components.ts';
import { defineRoute, PUBLIC } from '../route.ts';
import { component, deviceParams, list, newComponent, shared, uuid } from '../schemas.ts';

/** Components and their catalogue. */
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
  detachComponent: defineRoute({
    id: 'detachComponent',
    method: 'DELETE',
    path: '/api/components/devices/{id}/components/{componentId}',
    summary: 'Detach a component',
    policy: 'owner',
    listeners: PUBLIC,
    params: z.strictObject({ id: uuid, componentId: z.coerce.number().int().positive() }),
    success: { 204: null },
    problems: ['NOT_FOUND'],
  }),
  listComponentTypes: defineRoute({
    id: 'listComponentTypes',
    method: 'GET',
    path: '/api/components',
    summary: 'The catalogue of component types',
    policy: 'user',
    listeners: PUBLIC,
    success: { 200: list(shared(componentTypeDefinitionSchema)) },
    problems: [],
  }),
  addComponentType: defineRoute({
    id: 'addComponentType',
    method: 'POST',
    path: '/api/components',
    summary: 'Add a component type to the catalogue, for a driver by others',
    policy: 'developer',
    listeners: PUBLIC,
    body: shared(componentTypeDefinitionSchema),
    success: { 201: shared(componentTypeDefinitionSchema) },
    problems: ['CONFLICT'],
  }),
} as const;
