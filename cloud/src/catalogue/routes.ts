import type { CatalogueEntry } from '@ares/protocol';
import type { Handlers } from '../http/handlers.ts';
import type { BoardService } from './board-service.ts';
import type { TypeService } from './type-service.ts';
import type { HardwareVariant, VariantPinRule, Versioned } from './types.ts';

type TypeRoutes =
  | 'listComponentTypes'
  | 'getComponentType'
  | 'addComponentType'
  | 'updateComponentType'
  | 'deleteComponentType';
type BoardRoutes =
  | 'listHardwareVariants'
  | 'getHardwareVariant'
  | 'addHardwareVariant'
  | 'updateHardwareVariant'
  | 'deleteHardwareVariant'
  | 'listPinRules'
  | 'getPinRule'
  | 'addPinRule'
  | 'updatePinRule'
  | 'deletePinRule';

export function typeRoutes(service: TypeService): Pick<Handlers, TypeRoutes> {
  return {
    listComponentTypes: async ({ query }) => {
      const { builtIn, ...rest } = query;
      const body = await service.list({
        ...rest,
        ...(builtIn !== undefined && { builtIn: builtIn === 'true' }),
      });
      return { status: 200, body };
    },
    getComponentType: async ({ params }) => versioned(await service.get(params.componentType)),
    addComponentType: async ({ caller, body, source }) => ({
      status: 201,
      body: await service.add({ caller, definition: body, source }),
    }),
    updateComponentType: async ({ caller, params, body, ifMatch, source }) =>
      versioned(
        await service.update({ caller, componentType: params.componentType, change: body, ifMatch, source }),
      ),
    deleteComponentType: async ({ caller, params, source }) => {
      await service.delete({ caller, componentType: params.componentType, source });
      return { status: 204 };
    },
  };
}

export function boardRoutes(service: BoardService): Pick<Handlers, BoardRoutes> {
  return {
    listHardwareVariants: async ({ query }) => {
      const { items, nextCursor } = await service.listVariants(query);
      return { status: 200, body: { items: items.map(variantBody), nextCursor } };
    },
    getHardwareVariant: async ({ params }) => variant(await service.getVariant(params.variantId)),
    addHardwareVariant: async ({ caller, body, source }) => ({
      status: 201,
      body: variantBody(await service.addVariant({ caller, ...body, source })),
    }),
    updateHardwareVariant: async ({ caller, params, body, ifMatch, source }) =>
      variant(await service.describeVariant({ caller, ...params, ...body, ifMatch, source })),
    deleteHardwareVariant: async ({ caller, params, source }) => {
      await service.deleteVariant({ caller, ...params, source });
      return { status: 204 };
    },
    listPinRules: async ({ query }) => {
      const { items, nextCursor } = await service.listRules(query);
      return { status: 200, body: { items: items.map(ruleBody), nextCursor } };
    },
    getPinRule: async ({ params }) => rule(await service.getRule(params.configId)),
    addPinRule: async ({ caller, body, source }) => ({
      status: 201,
      body: ruleBody(await service.addRule({ caller, ...body, source })),
    }),
    updatePinRule: async ({ caller, params, body, ifMatch, source }) =>
      rule(await service.updateRule({ caller, ...params, ...body, ifMatch, source })),
    deletePinRule: async ({ caller, params, source }) => {
      await service.deleteRule({ caller, ...params, source });
      return { status: 204 };
    },
  };
}

function versioned({ version, ...body }: Versioned<CatalogueEntry>) {
  return { status: 200, body, version } as const;
}

const variantBody = ({
  variantId,
  hardwareVersion,
  hardwareVariant,
  description,
  createdAt,
}: HardwareVariant) => ({
  variantId,
  hardwareVersion,
  hardwareVariant,
  description,
  createdAt: createdAt.toISOString(),
});
const variant = (found: Versioned<HardwareVariant>) =>
  ({ status: 200, body: variantBody(found), version: found.version }) as const;

const ruleBody = ({
  configId,
  hardwareVersion,
  hardwareVariant,
  componentType,
  role,
  pins,
}: VariantPinRule) => ({
  configId,
  hardwareVersion,
  hardwareVariant,
  componentType,
  role,
  pins: [...pins],
});
const rule = (found: Versioned<VariantPinRule>) =>
  ({ status: 200, body: ruleBody(found), version: found.version }) as const;
