import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@ares/protocol/http';
import { writeDurably } from '../../cloud/src/adapters/durable-file.ts';
import { withOperatorTools } from '../../cloud/src/compose-operator.ts';
import { readConfig } from '../../cloud/src/config.ts';
import { databaseUrl } from './services.ts';
import type { DevSettings } from './settings.ts';

/** An administrator and an owner with random passwords, in the file where the operator's command line looks. */
export async function ensureAccounts({ home, ports }: DevSettings): Promise<void> {
  const file = join(home, 'credentials.json');
  if (existsSync(file)) return;
  const url = `http://127.0.0.1:${ports.api}`;
  const config = readConfig('all', { ARES_HOME: home, DATABASE_URL: databaseUrl(home) });
  const administrator = await withOperatorTools(config, (tools) =>
    tools.createAdministrator({ email: 'admin@ares.local' }),
  );
  const owner = { email: 'owner@ares.local', password: randomBytes(15).toString('base64url') };
  await createClient({ baseUrl: url, fetch }).register({ body: owner });
  await writeDurably(file, `${JSON.stringify({ url, owner, administrator }, null, 2)}\n`);
}
