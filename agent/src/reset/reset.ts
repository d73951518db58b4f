import { parseWith } from '@ares/protocol';
import * as z from 'zod/mini';
import type { CredentialsStore } from '../identity/credentials-store.ts';
import type { DeviceIdentity, Trust } from '../identity/types.ts';
import type { ChildJobs } from '../ports/child-jobs.ts';
import { type Clock, delay } from '../ports/clock.ts';
import { CloudApiError } from '../ports/cloud-api.ts';
import type { Logger } from '../ports/logger.ts';
import type { Wifi } from '../ports/wifi.ts';
import type { ProvisioningJournalStore } from '../provisioning/journal.ts';
import { readFileIfThere, removeDurableFile, writeDurableFile } from '../store/durable-file.ts';
import type { DeviceStore } from '../store/types.ts';
import { planReset, type ResetOrigin, type ResetStep } from './plan.ts';

const markerSchema = z.strictObject({
  v: z.literal(1),
  cause: z.enum(['order', 'released', 'button', 'cli']),
  orderId: z.nullable(z.string()),
  cloud: z.nullable(z.strictObject({ apiUrl: z.string(), assignment: z.int() })),
});

/** The durable decision to forget: from it on, every start goes on until the reset is done. */
export interface ResetMarker {
  load(): ResetOrigin | undefined;
  save(origin: ResetOrigin): void;
  remove(): void;
}

export function createResetMarker(path: string): ResetMarker {
  return {
    load() {
      const text = readFileIfThere(path);
      if (text === undefined) return undefined;
      // A marker that cannot be read still says that the device was to be wiped.
      const origin: ResetOrigin = { cause: 'cli', orderId: null, cloud: null };
      try {
        const parsed = parseWith(markerSchema, JSON.parse(text));
        return parsed.ok ? parsed.value : origin;
      } catch {
        return origin;
      }
    },
    save: ({ cause, orderId, cloud }) =>
      writeDurableFile(path, JSON.stringify({ v: 1, cause, orderId, cloud })),
    remove: () => removeDurableFile(path),
  };
}

/** Longest time that the receipt is tried for, ms (DESIGN: a device that is given away must not wait for a network). */
export const RECEIPT_LIMIT_MS = 60_000;
const RECEIPT_RETRY_MS = 3_000;

export interface ResetPorts {
  readonly marker: ResetMarker;
  readonly credentials: CredentialsStore;
  readonly journal: ProvisioningJournalStore;
  readonly store: Pick<DeviceStore, 'deleteOutbox'>;
  readonly wifi: Wifi;
  readonly jobs: ChildJobs;
  readonly identity: DeviceIdentity;
  identityKeyPem(): string;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly logger: Logger;
}

type ResetExecutors = { readonly [S in ResetStep]: (signal: AbortSignal) => Promise<void> };

/** Forgets the owner; resolves when it is done, at whatever step a process before this one was killed. */
export async function runReset(ports: ResetPorts, signal: AbortSignal): Promise<void> {
  const origin = ports.marker.load() ?? { cause: 'cli', orderId: null, cloud: null };
  const executors = createExecutors(ports, origin);
  for (const step of planReset(origin)) {
    signal.throwIfAborted();
    ports.logger.info('reset', { step });
    await executors[step](signal);
  }
}

function createExecutors(ports: ResetPorts, origin: ResetOrigin): ResetExecutors {
  return {
    'wipe-credentials': async () => ports.credentials.wipe(),
    'wipe-outbox': async () => ports.store.deleteOutbox(),
    'wipe-onboarding': async () => {
      ports.journal.remove();
      await ports.wifi.rollbackTrial();
    },
    'send-receipt': (signal) => sendReceipt(ports, origin, signal),
    'wipe-wifi': () => ports.wifi.forgetAll(),
    'remove-marker': async () => ports.marker.remove(),
  };
}

/** Best effort: the cloud ended the assignment already, the receipt only tells when the device has obeyed. */
async function sendReceipt(ports: ResetPorts, origin: ResetOrigin, signal: AbortSignal): Promise<void> {
  const { jobs, trust, identity, clock, logger } = ports;
  if (origin.cloud === null) return;
  const { apiUrl, assignment } = origin.cloud;
  const endpoint = { apiUrl, caCertificates: trust.caCertificates };
  const until = clock.monotonicMs() + RECEIPT_LIMIT_MS;
  for (;;) {
    const leftMs = until - clock.monotonicMs();
    if (leftMs <= 0) return logger.warn('the receipt of the reset could not be delivered', { assignment });
    try {
      await jobs.run(
        'receipt',
        {
          endpoint,
          deviceUuid: identity.deviceUuid,
          identityKeyPem: ports.identityKeyPem(),
          assignment,
          orderId: origin.orderId,
        },
        { signal, timeoutMs: leftMs },
      );
      return;
    } catch (cause) {
      signal.throwIfAborted();
      if (isFinal(cause)) return logger.warn('the cloud refuses the receipt of the reset', { cause });
      logger.info('the receipt of the reset is tried again', { cause });
      await delay(clock, Math.min(RECEIPT_RETRY_MS, Math.max(until - clock.monotonicMs(), 0)), signal);
    }
  }
}

function isFinal(cause: unknown): boolean {
  return cause instanceof CloudApiError && (cause.code === 'REFUSED' || cause.code === 'TLS');
}
