import { bindingRoutes } from './bindings/routes.ts';
import { createBindingService } from './bindings/service.ts';
import { createBoardService } from './catalogue/board-service.ts';
import { boardRoutes, typeRoutes } from './catalogue/routes.ts';
import { createTypeService } from './catalogue/type-service.ts';
import { claimsRoutes } from './claims/routes.ts';
import { createClaimsService } from './claims/service.ts';
import { claimsDefaults } from './claims/types.ts';
import { componentRoutes } from './components/routes.ts';
import { createComponentService } from './components/service.ts';
import type { Foundation } from './compose-foundation.ts';
import { createUuidCorrection } from './devices/force-uuid.ts';
import { deviceRoutes } from './devices/routes.ts';
import { createDeviceService } from './devices/service.ts';
import type { ComponentsChangedPublisher } from './ports/components-changed.ts';
import type { ReleaseService } from './release/service.ts';
import { sharingRoutes } from './sharing/routes.ts';
import { createSharingService } from './sharing/service.ts';
import { supervisionRoutes } from './supervision/routes.ts';
import { createSupervisionService } from './supervision/service.ts';

/** What people do with devices: own, share, wire, bind, supervise; and the catalogue. */
export function createDeviceHandlers(
  foundation: Pick<Foundation, 'database' | 'clock' | 'random' | 'newUuid' | 'deviceApiUrl'>,
  parts: {
    readonly publisher: ComponentsChangedPublisher;
    readonly release: Pick<ReleaseService, 'release'>;
  },
) {
  const { deviceApiUrl, ...ports } = foundation;
  const { publisher, release } = parts;
  const components = createComponentService({ ...ports, publisher });
  const devices = createDeviceService({ ...ports, variants: components });
  const claims = createClaimsService({ ...ports, config: { ...claimsDefaults, deviceApiUrl } });
  const bindings = createBindingService({ ...ports, claims });
  return {
    devices,
    components,
    routes: {
      ...deviceRoutes({ ...devices, ...createUuidCorrection(ports) }),
      ...sharingRoutes(createSharingService(ports)),
      ...claimsRoutes(claims),
      ...bindingRoutes({ bindings, release }),
      ...supervisionRoutes(createSupervisionService(ports)),
      ...componentRoutes(components),
      ...typeRoutes(createTypeService({ ...ports, publisher })),
      ...boardRoutes(createBoardService(ports)),
    },
  };
}
