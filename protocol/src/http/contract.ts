import { accountRoutes } from './routes/accounts.ts';
import { appRoutes } from './routes/apps.ts';
import { auditRoutes } from './routes/audit.ts';
import { bindingRoutes } from './routes/bindings.ts';
import { catalogueRoutes } from './routes/catalogue.ts';
import { claimRoutes } from './routes/claims.ts';
import { commandRoutes } from './routes/commands.ts';
import { componentRoutes } from './routes/components.ts';
import { deviceApiRoutes } from './routes/device-api.ts';
import { deviceRoutes } from './routes/devices.ts';
import { keyRoutes } from './routes/keys.ts';
import { liveRoutes } from './routes/live.ts';
import { offlineTokenRoutes } from './routes/offline-tokens.ts';
import { serviceRoutes } from './routes/service.ts';
import { sharingRoutes } from './routes/sharing.ts';
import { supervisionRoutes } from './routes/supervision.ts';
import { userRoutes } from './routes/users.ts';

/** Every route of the HTTP API. Server validation, the typed client and OpenAPI come from here. */
export const contract = {
  ...serviceRoutes,
  ...accountRoutes,
  ...userRoutes,
  ...deviceRoutes,
  ...sharingRoutes,
  ...bindingRoutes,
  ...supervisionRoutes,
  ...claimRoutes,
  ...deviceApiRoutes,
  ...liveRoutes,
  ...appRoutes,
  ...keyRoutes,
  ...offlineTokenRoutes,
  ...commandRoutes,
  ...componentRoutes,
  ...catalogueRoutes,
  ...auditRoutes,
} as const;

export type Contract = typeof contract;
export type RouteId = keyof Contract;
