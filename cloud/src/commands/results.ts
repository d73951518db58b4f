import { parseCommandStatus, SENT_AT_TOLERANCE_MS } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { SecurityReporter } from '../ports/security-reporter.ts';
import type { Acknowledge } from '../telemetry/acknowledge.ts';
import { checkIdentity, verifyMessage } from '../telemetry/authenticity.ts';
import type { InboundHandler } from '../telemetry/inbox.ts';
import { commandRepository } from './repository.ts';

/**
 * Takes results from `commands/status`. Each is stored before it is acknowledged; one for a command that has its
 * last word already, or that the cloud does not know, is acknowledged too, as there is nothing left to store.
 */
export function createCommandResults(options: {
  readonly database: CloudDatabase;
  readonly acknowledge: Acknowledge;
  readonly security: SecurityReporter;
  readonly clock: Clock;
  readonly log: Logger;
}): { readonly handle: InboundHandler } {
  const { database, acknowledge, security, clock, log } = options;

  const handle: InboundHandler = ({ device, topic, payload }) => {
    const now = clock.now();
    const { deviceUuid, deviceId, assignment } = device;
    const verified = verifyMessage(device, topic, payload, now);
    if (!verified.ok) {
      security.report({ code: verified.code, deviceUuid });
      return undefined;
    }
    const parsed = parseCommandStatus(verified.value);
    if (!parsed.ok) {
      log.info({ deviceUuid, issues: parsed.issues }, 'command results could not be read');
      return undefined;
    }
    const message = parsed.value;
    const { key } = verified;
    const stranger = checkIdentity(device, key, message);
    if (stranger !== undefined) {
      security.report({ code: stranger, deviceUuid });
      return undefined;
    }
    if (message.sentAt !== null && Math.abs(message.sentAt - now) > SENT_AT_TOLERANCE_MS) {
      // Answered, because the time of the cloud in it is what such a device needs.
      acknowledge({ deviceUuid, key, bootId: message.bootId });
      return undefined;
    }
    const owner = { deviceId, assignmentId: assignment?.id ?? -1 };
    const store = async (): Promise<void> => {
      await database.db.transaction().execute(async (trx) => {
        // In one order everywhere: two messages with the same results must not wait for each other.
        const results = [...message.results].sort((a, b) => (a.commandId < b.commandId ? -1 : 1));
        for (const result of results) {
          const changed = await commandRepository.finish(trx, owner, result, new Date(now));
          if (changed) await database.notify(trx, 'command', { commandId: result.commandId });
        }
      });
      const results = message.results.map(({ commandId }) => commandId);
      acknowledge({ deviceUuid, key, bootId: message.bootId, results });
    };
    return store();
  };
  return { handle };
}
