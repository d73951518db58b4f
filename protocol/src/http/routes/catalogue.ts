import { z } from 'zod';
import {
  catalogueEntrySchema,
  componentTypeChangeSchema,
  componentTypeDefinitionSchema,
} from '../../components.ts';
import { componentTypeSchema, metricSchema } from '../../ids.ts';
import { page, pageQuery } from '../paging.ts';
import { defineRoute, PUBLIC } from '../route.ts';
import { hardwareName, isoTime, shared } from '../schemas.ts';

const entry = shared(catalogueEntrySchema);
const typeParams = z.strictObject({ componentType: shared(componentTypeSchema) });

const description = z.string().trim().min(1).max(500).nullable();
const variantParams = z.strictObject({ variantId: z.coerce.number().int().positive() });
const hardwareVariant = z
  .strictObject({
    variantId: z.int(),
    hardwareVersion: z.string(),
    hardwareVariant: z.string(),
    description: z.string().nullable(),
    createdAt: isoTime,
  })
  .meta({ id: 'HardwareVariant' });

const pins = z
  .array(z.int().min(0).max(53))
  .max(54)
  .refine((list) => new Set(list).size === list.length, 'must name each line once');
const configParams = z.strictObject({ configId: z.coerce.number().int().positive() });
const pinRule = z
  .strictObject({
    configId: z.int(),
    hardwareVersion: z.string(),
    hardwareVariant: z.string(),
    componentType: z.string(),
    role: z.string(),
    pins: z.array(z.int()),
  })
  .meta({ id: 'DeviceConfig' });

/** What there is to build with: component types, boards, and what may sit where. */
export const catalogueRoutes = {
  listComponentTypes: defineRoute({
    id: 'listComponentTypes',
    method: 'GET',
    path: '/api/components',
    summary: 'The catalogue of component types, by name',
    policy: 'user',
    listeners: PUBLIC,
    query: z.strictObject({
      ...pageQuery,
      kind: z.enum(['sensor', 'actuator']).optional(),
      builtIn: z.enum(['true', 'false']).optional(),
      /** Part of the name. */
      text: z.string().trim().min(1).max(40).optional(),
    }),
    success: { 200: page(entry) },
    problems: [],
  }),
  getComponentType: defineRoute({
    id: 'getComponentType',
    method: 'GET',
    path: '/api/components/{componentType}',
    summary: 'One component type',
    policy: 'user',
    listeners: PUBLIC,
    params: typeParams,
    etag: true,
    success: { 200: entry },
    problems: ['NOT_FOUND'],
  }),
  addComponentType: defineRoute({
    id: 'addComponentType',
    method: 'POST',
    path: '/api/components',
    summary: 'Add a component type to the catalogue, for a driver by others',
    policy: 'developer',
    listeners: PUBLIC,
    body: shared(componentTypeDefinitionSchema),
    success: { 201: entry },
    problems: ['CONFLICT'],
  }),
  updateComponentType: defineRoute({
    id: 'updateComponentType',
    method: 'PUT',
    path: '/api/components/{componentType}',
    summary: 'Change a component type that did not come with Ares; devices that have it load it anew',
    policy: 'developer',
    listeners: PUBLIC,
    params: typeParams,
    body: shared(componentTypeChangeSchema),
    etag: true,
    success: { 200: entry },
    problems: ['NOT_FOUND', 'CONFLICT', 'PRECONDITION_FAILED'],
  }),
  deleteComponentType: defineRoute({
    id: 'deleteComponentType',
    method: 'DELETE',
    path: '/api/components/{componentType}',
    summary: 'Delete a component type that was never used',
    policy: 'developer',
    listeners: PUBLIC,
    params: typeParams,
    success: { 204: null },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
  listHardwareVariants: defineRoute({
    id: 'listHardwareVariants',
    method: 'GET',
    path: '/api/hardware-variants',
    summary: 'Hardware versions and their variants, by name',
    policy: 'user',
    listeners: PUBLIC,
    query: z.strictObject({ ...pageQuery, hardwareVersion: hardwareName.optional() }),
    success: { 200: page(hardwareVariant) },
    problems: [],
  }),
  getHardwareVariant: defineRoute({
    id: 'getHardwareVariant',
    method: 'GET',
    path: '/api/hardware-variants/{variantId}',
    summary: 'One variant',
    policy: 'user',
    listeners: PUBLIC,
    params: variantParams,
    etag: true,
    success: { 200: hardwareVariant },
    problems: ['NOT_FOUND'],
  }),
  addHardwareVariant: defineRoute({
    id: 'addHardwareVariant',
    method: 'POST',
    path: '/api/hardware-variants',
    summary: 'Add a variant; until its rules say otherwise every type may sit on any free line of the header',
    policy: 'developer',
    listeners: PUBLIC,
    body: z.strictObject({
      hardwareVersion: hardwareName,
      hardwareVariant: hardwareName,
      description: description.default(null),
    }),
    success: { 201: hardwareVariant },
    problems: ['CONFLICT'],
  }),
  updateHardwareVariant: defineRoute({
    id: 'updateHardwareVariant',
    method: 'PUT',
    path: '/api/hardware-variants/{variantId}',
    summary: 'Describe a variant; its name is on its boards and stays',
    policy: 'developer',
    listeners: PUBLIC,
    params: variantParams,
    body: z.strictObject({ description }),
    etag: true,
    success: { 200: hardwareVariant },
    problems: ['NOT_FOUND', 'PRECONDITION_FAILED'],
  }),
  deleteHardwareVariant: defineRoute({
    id: 'deleteHardwareVariant',
    method: 'DELETE',
    path: '/api/hardware-variants/{variantId}',
    summary: 'Delete a variant of which there is no device, and its rules',
    policy: 'developer',
    listeners: PUBLIC,
    params: variantParams,
    success: { 204: null },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
  listPinRules: defineRoute({
    id: 'listPinRules',
    method: 'GET',
    path: '/api/device-configs',
    summary: 'On which lines of a board what may sit',
    policy: 'user',
    listeners: PUBLIC,
    query: z.strictObject({
      ...pageQuery,
      hardwareVersion: hardwareName.optional(),
      hardwareVariant: hardwareName.optional(),
      componentType: z.optional(shared(componentTypeSchema)),
    }),
    success: { 200: page(pinRule) },
    problems: [],
  }),
  getPinRule: defineRoute({
    id: 'getPinRule',
    method: 'GET',
    path: '/api/device-configs/{configId}',
    summary: 'One rule',
    policy: 'user',
    listeners: PUBLIC,
    params: configParams,
    etag: true,
    success: { 200: pinRule },
    problems: ['NOT_FOUND'],
  }),
  addPinRule: defineRoute({
    id: 'addPinRule',
    method: 'POST',
    path: '/api/device-configs',
    summary: 'Say on which lines of a variant a line of a component type may sit',
    policy: 'developer',
    listeners: PUBLIC,
    body: z.strictObject({
      hardwareVersion: hardwareName,
      hardwareVariant: hardwareName,
      componentType: shared(componentTypeSchema),
      role: shared(metricSchema),
      pins,
    }),
    success: { 201: pinRule },
    problems: ['CONFLICT'],
  }),
  updatePinRule: defineRoute({
    id: 'updatePinRule',
    method: 'PUT',
    path: '/api/device-configs/{configId}',
    summary: 'Change the lines of a rule; one on which something sits stays allowed',
    policy: 'developer',
    listeners: PUBLIC,
    params: configParams,
    body: z.strictObject({ pins }),
    etag: true,
    success: { 200: pinRule },
    problems: ['NOT_FOUND', 'COMPONENT_IN_USE', 'PRECONDITION_FAILED'],
  }),
  deletePinRule: defineRoute({
    id: 'deletePinRule',
    method: 'DELETE',
    path: '/api/device-configs/{configId}',
    summary: 'Delete a rule: nothing of this type may sit on the variant then',
    policy: 'developer',
    listeners: PUBLIC,
    params: configParams,
    success: { 204: null },
    problems: ['NOT_FOUND', 'COMPONENT_IN_USE'],
  }),
} as const;
