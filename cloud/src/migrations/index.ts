import type { Migration } from 'kysely/migration';
import * as initial from './0001-initial.ts';
import * as wifiChanges from './0002-wifi-changes.ts';
import * as accounts from './0003-accounts.ts';
import * as devices from './0004-devices.ts';
import * as keys from './0005-keys.ts';
import * as telemetry from './0006-telemetry.ts';
import * as auditChain from './0007-audit-chain.ts';
import * as idempotency from './0010-idempotency.ts';
import * as sharesByAddress from './0011-shares-by-address.ts';
import * as appCertificates from './0012-app-certificates.ts';
import * as partitionsAgain from './0013-partitions-again.ts';
import * as componentPace from './0014-component-pace.ts';

/** Forward only, in the order of their names. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-initial': initial,
  '0002-wifi-changes': wifiChanges,
  '0003-accounts': accounts,
  '0004-devices': devices,
  '0005-keys': keys,
  '0006-telemetry': telemetry,
  '0007-audit-chain': auditChain,
  '0010-idempotency': idempotency,
  '0011-shares-by-address': sharesByAddress,
  '0012-app-certificates': appCertificates,
  '0013-partitions-again': partitionsAgain,
  '0014-component-pace': componentPace,
};
