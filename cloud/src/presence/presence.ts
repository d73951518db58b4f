import { setTimeout } from 'node:timers/promises';
import { type ConnectionMessage, parseConnectionMessage, SENT_AT_TOLERANCE_MS } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { SecurityReporter } from '../ports/security-reporter.ts';
import type { LiveState } from '../state/live-state.ts';
import type { Acknowledge } from '../telemetry/acknowledge.ts';
import { checkIdentity, verifyMessage } from '../telemetry/authenticity.ts';
import type { Boots } from '../telemetry/boots.ts';
import type { InboundHandler } from '../telemetry/inbox.ts';
import type { KnownBoot, KnownDevice } from '../telemetry/types.ts';

type Birth = Extract<ConnectionMessage, { event: 'online' }>;

/** About ten minutes. */
const MOST_RETRIES = 24;
const LONGEST_RETRY_MS = 30_000;

/** Handles births and wills: which connection and which boot of a device is the running one. */
export function createPresence(options: {
  readonly state: LiveState;
  readonly boots: Boots;
  readonly acknowledge: Acknowledge;
  readonly security: SecurityReporter;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whose accepted certificate has this serial number, if anyone's. */
  readonly currentCertificate: (serial: string) => Promise<{ readonly deviceUuid: string } | undefined>;
  /** The device listens: what waits for it can be sent. */
  readonly born: (device: KnownDevice) => Promise<void>;
  /** First pause after a failure of the database, ms; doubles. */
  readonly retryMs?: number;
}): { readonly handle: InboundHandler } {
  const {
    state,
    boots,
    acknowledge,
    security,
    clock,
    log,
    currentCertificate,
    born,
    retryMs = 1_000,
  } = options;

  const takeBirth = async (device: KnownDevice, birth: Birth, now: number): Promise<void> => {
    const { deviceUuid } = device;
    // An old birth, sent again by whoever runs the broker, must not take the place of the running one.
    if (birth.sentAt !== null && Math.abs(birth.sentAt - now) > SENT_AT_TOLERANCE_MS) {
      log.info({ deviceUuid, sentAt: birth.sentAt }, 'a birth was ignored: the clock of the device is wrong');
      return;
    }
    if ((await currentCertificate(birth.certificateSerial))?.deviceUuid !== deviceUuid) {
      security.report({ code: 'BIRTH_CERTIFICATE_MISMATCH', deviceUuid });
      return;
    }
    const boot = await boots.ensure(device, birth.bootId, birth.bootCount);
    if (boot === undefined) {
      log.warn({ deviceUuid }, 'a birth was ignored: too many new boots today');
      return;
    }
    if (isOver(device, boot)) {
      log.warn(
        { deviceUuid, bootId: boot.bootId },
        'a birth was ignored: a later boot has named itself since',
      );
      return;
    }
    const { isFirst, highestOther } = await boots.born(device, boot, birth.sentAt ?? now, birth.uptimeMs);
    // A card that was restored or copied starts from an old counter; an honest one never repeats a number.
    if (isFirst && boot.bootCount <= highestOther)
      security.report({
        code: 'BOOT_COUNT_REPEATED',
        deviceUuid,
        detail: { bootCount: boot.bootCount, highestSeen: highestOther },
      });
    await state.born(deviceUuid, birth.connectionId, now);
    const health = (birth.health ?? [])
      .filter(({ componentId }) => device.components.has(componentId))
      .map((one) => ({ ...one, bootCount: boot.bootCount, uptimeMs: birth.uptimeMs }));
    if (health.length > 0) state.take(deviceUuid, { values: [], health, seenAt: now });
    await born(device);
  };

  /** A device says it once: presence, anchor and waiting commands of its whole session depend on it. */
  const takeBirthAtLast = async (device: KnownDevice, birth: Birth): Promise<void> => {
    const now = clock.now();
    for (let attempt = 0; ; attempt += 1) {
      try {
        await takeBirth(device, birth, now);
        return;
      } catch (error) {
        if (attempt >= MOST_RETRIES) throw error;
        log.warn(
          { deviceUuid: device.deviceUuid, error: (error as Error).message },
          'a birth is tried again',
        );
        await setTimeout(Math.min(retryMs * 2 ** attempt, LONGEST_RETRY_MS), undefined, { ref: false });
      }
    }
  };

  const handle: InboundHandler = ({ device, topic, payload }) => {
    const now = clock.now();
    const { deviceUuid } = device;
    const verified = verifyMessage(device, topic, payload, now);
    if (!verified.ok) {
      security.report({ code: verified.code, deviceUuid });
      return undefined;
    }
    const parsed = parseConnectionMessage(verified.value);
    if (!parsed.ok) {
      log.info({ deviceUuid, issues: parsed.issues }, 'a connection message could not be read');
      return undefined;
    }
    const stranger = checkIdentity(device, verified.key, parsed.value);
    if (stranger !== undefined) {
      security.report({ code: stranger, deviceUuid });
      return undefined;
    }
    // Carries the time of the cloud, by which the device judges its own clock.
    if (parsed.value.event === 'online')
      acknowledge({ deviceUuid, key: verified.key, bootId: parsed.value.bootId });
    // A will was signed when its connection began: its `sentAt` says nothing.
    return parsed.value.event === 'offline'
      ? state.will(deviceUuid, parsed.value.connectionId, now)
      : takeBirthAtLast(device, parsed.value);
  };
  return { handle };
}

/** A device never goes back to an earlier start: such a birth was recorded by somebody, or comes from a copied card. */
function isOver({ boots }: KnownDevice, { bornAt }: KnownBoot): boolean {
  if (bornAt === undefined) return false;
  return [...boots.values()].some((other) => (other.bornAt ?? 0) > bornAt);
}
