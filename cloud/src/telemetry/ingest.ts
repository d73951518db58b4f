import type { BrokerLink } from '../ports/broker-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { SecurityReporter } from '../ports/security-reporter.ts';
import { type Acknowledge, createAcknowledge } from './acknowledge.ts';
import { type BatchConfig, createBatchWriter } from './batch-writer.ts';
import { type Boots, createBoots } from './boots.ts';
import type { DeviceDirectory } from './directory.ts';
import { type InboundHandler, openInbox } from './inbox.ts';
import { createReadingQuarantine } from './quarantine.ts';
import { createReadingRepository } from './reading-repository.ts';
import { createReadingsHandler, type IngestCounters, type StoredReadings } from './readings-handler.ts';

export interface IngestConfig {
  /** Secret name of the group that ingest replicas share; without one this process gets every message. */
  readonly group?: string;
  readonly batch?: Partial<BatchConfig>;
  /** Rows of one device that may wait at once. Default 4,000: twice what an agent has under way. */
  readonly rowsPerDevice?: number;
  /** New boots of a device that are taken in a day. Default 200. */
  readonly newBootsPerDay?: number;
  /** Default seven days. */
  readonly rawWindowMs?: number;
}

/** What the other consumers of device messages need from the ingest. */
export interface IngestParts {
  readonly acknowledge: Acknowledge;
  readonly boots: Boots;
}

export interface Ingest {
  readonly counters: Readonly<IngestCounters>;
  buffered(): number;
  /** Hears nothing more, writes what it holds for at most so long, and leaves the rest to the devices. */
  close(withinMs?: number): Promise<void>;
}

/** Takes readings from the broker to the database and answers their devices. */
export async function createIngest(options: {
  readonly link: BrokerLink;
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly directory: DeviceDirectory;
  readonly security: SecurityReporter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly stored: (readings: StoredReadings) => void;
  readonly handlers: (parts: IngestParts) => {
    readonly connection: InboundHandler;
    readonly results: InboundHandler;
  };
  readonly config?: IngestConfig;
}): Promise<Ingest> {
  const { link, database, directory, security, log, config = {} } = options;
  const repository = createReadingRepository(database);
  const writer = createBatchWriter({ insert: repository.insert, log, config: config.batch ?? {} });
  const boots = createBoots({
    database,
    clock: options.clock,
    config: { newBootsPerDay: config.newBootsPerDay ?? 200 },
  });
  const acknowledge = createAcknowledge(options);
  const quarantine = createReadingQuarantine({ database, log });
  const readings = createReadingsHandler({
    ...options,
    quarantine,
    boots,
    writer,
    acknowledge,
    config: {
      rowsPerDevice: config.rowsPerDevice ?? 4_000,
      ...(config.rawWindowMs !== undefined && { rawWindowMs: config.rawWindowMs }),
    },
  });
  const closeInbox = await openInbox({
    link,
    group: config.group,
    directory,
    handlers: { readings: readings.handle, ...options.handlers({ acknowledge, boots }) },
    security,
    log,
  });
  return {
    counters: readings.counters,
    buffered: () => writer.buffered(),
    async close(withinMs = 3_000) {
      await closeInbox().catch(() => undefined);
      await writer.close(withinMs);
      await quarantine.close();
    },
  };
}
