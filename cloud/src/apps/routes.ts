import type { Handlers } from '../http/handlers.ts';
import type { AppCertificateService } from './service.ts';

export function appRoutes(apps: AppCertificateService): Pick<Handlers, 'appCertificate'> {
  return {
    appCertificate: async ({ body, caller, source }) => ({
      status: 201,
      body: await apps.issue({ csr: body.csr, caller, source }),
    }),
  };
}
