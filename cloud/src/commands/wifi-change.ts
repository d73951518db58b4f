import { orderTypes, ProblemError, topics, type WifiSettings } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import { keyId, sharedSecretContext } from '../credentials/shared-secrets.ts';
import type { Caller, DeviceAccess } from '../http/handlers.ts';
import type { OrderSigner } from '../orders/order-signer.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import type { CommandDispatch } from './dispatch.ts';
import { commandRepository } from './repository.ts';
import { sealWifi } from './seal-wifi.ts';
import type { CommandRow } from './types.ts';
import type { CommandWaiting } from './waiting.ts';

export interface WifiChangeService {
  /**
   * Tells the device to join another network. It is a command in every respect, of no component; the credentials
   * leave this process sealed and nothing else of them is stored.
   * @throws {ProblemError} CONFLICT
   */
  change(input: {
    readonly caller: Pick<Caller, 'userId'>;
    readonly access: DeviceAccess;
    readonly credentials: WifiSettings;
    readonly ttlSeconds: number;
    readonly source: string;
    readonly waitSeconds?: number | undefined;
    readonly signal: AbortSignal;
  }): Promise<{ readonly commandId: string; readonly command: CommandRow | undefined }>;
}

export function createWifiChangeService(options: {
  readonly database: CloudDatabase;
  readonly orders: Pick<OrderSigner, 'sign'>;
  readonly secrets: Pick<SecretStore, 'open'>;
  readonly dispatch: CommandDispatch;
  readonly waiting: CommandWaiting;
  readonly clock: Clock;
  readonly newUuid: () => string;
}): WifiChangeService {
  const { database, orders, secrets, dispatch, waiting, clock, newUuid } = options;

  async function order(
    trx: Queries,
    { caller, access, credentials, ttlSeconds, source }: Parameters<WifiChangeService['change']>[0],
  ) {
    const { deviceId, deviceUuid, assignmentId } = access;
    const seq = assignmentId === null ? undefined : await commandRepository.nextWifiSeq(trx, assignmentId);
    const assignment =
      assignmentId === null ? undefined : await commandRepository.assignment(trx, assignmentId);
    if (assignmentId === null || assignment === undefined || seq === undefined)
      throw new ProblemError('CONFLICT', 'Nobody owns this device: claim it first.');
    if (assignment.lifeCycle !== 'ACTIVE' && assignment.lifeCycle !== 'QUARANTINED')
      throw new ProblemError('CONFLICT', `The device takes no commands: it is ${assignment.lifeCycle}.`);
    const secret = await commandRepository.sharedSecret(trx, assignmentId);
    if (secret === undefined) throw new ProblemError('CONFLICT', 'The device has no certificate yet.');
    const id = newUuid();
    const { number } = assignment;
    const topic = topics.wifiChange.build({ deviceUuid });
    const now = clock.now();
    const expiresAt = now + Math.round(ttlSeconds * 1_000);
    const sharedSecret = await secrets.open(secret.sealed, sharedSecretContext(deviceUuid, number, secret.n));
    const jws = await orders.sign(orderTypes.wifiChange, {
      aud: deviceUuid,
      asg: number,
      topic,
      jti: id,
      exp: expiresAt / 1_000,
      seq,
      credentials: await sealWifi(credentials, { deviceUuid, kid: keyId(number, secret.n), sharedSecret }),
    });
    await commandRepository.insert(trx, {
      id,
      deviceId,
      assignmentId,
      componentId: null,
      userId: caller.userId,
      action: 'change',
      args: {},
      seq,
      topic,
      jws,
      createdAt: new Date(now),
      expiresAt: new Date(expiresAt),
    });
    await writeAudit(trx, {
      actorUserId: caller.userId,
      action: 'wifi.change',
      objectType: 'command',
      objectId: id,
      detail: { deviceUuid },
      source,
    });
    return { id, topic, jws };
  }

  return {
    async change(input) {
      const { waitSeconds = 0, signal } = input;
      const sent = await database.db.transaction().execute((trx) => order(trx, input));
      const finished = waitSeconds > 0 ? waiting.final(sent.id, waitSeconds * 1_000, signal) : undefined;
      void dispatch.publish([sent]);
      return { commandId: sent.id, command: await finished };
    },
  };
}
