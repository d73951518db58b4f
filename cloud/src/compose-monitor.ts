import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeIssues, parseTrustFile, type TrustFile } from '@ares/protocol';
import { keepPorts } from './adapters/kept-ports.ts';
import { openLocalCertificateAuthority } from './adapters/local-certificate-authority.ts';
import { openMqttBrokerLink } from './adapters/mqtt-broker-link.ts';
import { systemClock } from './adapters/system-clock.ts';
import { serviceTarget } from './compose-broker.ts';
import { trustFilePath } from './compose-foundation.ts';
import { openOperatorDatabase, openSecrets } from './compose-operator.ts';
import { type CloudConfig, ConfigError } from './config.ts';
import { createDecoder } from './monitor/decode.ts';
import { createMonitorRepository } from './monitor/repository.ts';
import { type OfflineTest, type RoundTrip, tryOffline, tryRoundTrip } from './monitor/trials.ts';
import type { Seen } from './monitor/types.ts';
import { watchMessages } from './monitor/watch.ts';
import type { Logger } from './ports/logger.ts';
import { createDeviceDirectory } from './telemetry/directory.ts';
import { createDirectoryRepository } from './telemetry/directory-repository.ts';
import type { KnownDevice } from './telemetry/types.ts';

/** What an operator does at the broker, on the machine of the cloud. */
export interface MqttTools {
  /** UUIDs of the devices that this text may mean. */
  find(text: string): Promise<readonly string[]>;
  watch(options: {
    readonly deviceUuid: string | undefined;
    readonly count: number | undefined;
    readonly signal: AbortSignal;
    readonly show: (seen: Seen) => void;
    readonly listening: () => void;
  }): Promise<{ readonly shown: number; readonly dropped: number }>;
  /** @throws {TrialError} */
  roundTrip(deviceUuid: string): Promise<RoundTrip>;
  /** @throws {TrialError} */
  offline(
    deviceUuid: string,
    options: { readonly reason: string; readonly reconnect: boolean },
  ): Promise<OfflineTest>;
}

/**
 * Connects to the broker under a name of its own, with the rights of that name and no others: who watches cannot
 * speak.
 * @throws {BrokerLinkError | ConfigError | SecretStoreError} and what `work` throws
 */
export async function withMqttTools<T>(
  config: CloudConfig,
  commonName: 'ares-monitor' | 'ares-operator',
  warn: (text: string) => void,
  work: (tools: MqttTools) => Promise<T>,
): Promise<T> {
  await using stack = new AsyncDisposableStack();
  const log: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (fields, text) =>
      warn(fields['error'] === undefined ? text : `${text}: ${String(fields['error'])}`),
    error: (_, text) => warn(text),
  };
  const clock = systemClock;
  const { commandKeys } = await readTrustFile(config.home);
  const secrets = await openSecrets(config);
  const authority = await openLocalCertificateAuthority({
    secrets,
    clock,
    config: { dir: join(config.home, 'ca') },
  });
  const kept = await keepPorts(config.home);
  const ports = { ...kept, mqtt: config.mqtt.port ?? kept.mqtt };
  const target = await serviceTarget({ authority, config, ports, secrets }, commonName);
  const credentials = await authority.signService({ commonName });
  const link = await openMqttBrokerLink({ config: { ...target, ...credentials }, log });
  stack.defer(() => link.close());
  const database = await openOperatorDatabase(config, stack);
  const directory = createDeviceDirectory({
    repository: createDirectoryRepository(database),
    database,
    secrets,
    clock,
  });
  stack.defer(() => directory.close());
  const repository = createMonitorRepository(database);
  const trial = { link, repository, clock, newUuid: randomUUID };
  const known = async (deviceUuid: string): Promise<KnownDevice> => {
    const device = await directory.load(deviceUuid);
    if (device === undefined) throw new ConfigError(`There is no device ${deviceUuid}.`);
    return device;
  };
  return await work({
    find: (text) => repository.find(text),
    watch: (options) =>
      watchMessages({ link, decode: createDecoder({ directory, commandKeys, clock }), ...options }),
    roundTrip: async (deviceUuid) => tryRoundTrip(trial, await known(deviceUuid)),
    offline: async (deviceUuid, options) => tryOffline(trial, await known(deviceUuid), options),
  });
}

/** The keys that devices believe. */
async function readTrustFile(home: string): Promise<TrustFile> {
  const path = trustFilePath(home);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(
      `${path} cannot be read: run this on the machine of the cloud, as its user and with its ARES_HOME.`,
      { cause },
    );
  }
  const parsed = parseTrustFile(JSON.parse(text));
  if (!parsed.ok) throw new ConfigError(`${path} is damaged: ${describeIssues(parsed.issues)}`);
  return parsed.value;
}
