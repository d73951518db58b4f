import { orderTypes, ProblemError, topics } from '@ares/protocol';
import { z } from 'zod';
import { writeAudit } from '../audit/audit-log.ts';
import type { Page } from '../database/paging.ts';
import type { Caller, DeviceAccess } from '../http/handlers.ts';
import { decodeCursor } from '../http/paging.ts';
import type { OrderSigner } from '../orders/order-signer.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { checkAction, chooseTarget } from './check-request.ts';
import type { CommandDispatch } from './dispatch.ts';
import { commandRepository } from './repository.ts';
import type { CommandQuery, CommandRequest, CommandRow } from './types.ts';
import type { CommandWaiting } from './waiting.ts';

export interface CommandService {
  /**
   * Signs, stores and sends a command; a device that is not connected gets it when it comes, until `ttlSeconds`
   * are over. With `waitSeconds` it waits for the final state.
   * @throws {ProblemError} NOT_FOUND, AMBIGUOUS_COMPONENT, UNKNOWN_ACTION, INVALID_REQUEST, CONFLICT
   */
  send(input: {
    readonly caller: Pick<Caller, 'userId'>;
    readonly access: DeviceAccess;
    readonly request: CommandRequest;
    readonly source: string;
    readonly waitSeconds?: number | undefined;
    readonly signal: AbortSignal;
  }): Promise<{ readonly commandId: string; readonly command: CommandRow | undefined }>;
  /**
   * Newest first; for others than administrators only those of their own assignments.
   * @throws {ProblemError} INVALID_REQUEST
   */
  list(
    access: DeviceAccess,
    caller: Pick<Caller, 'userId'>,
    query: Omit<CommandQuery, 'after'> & { readonly cursor?: string | undefined },
  ): Promise<Page<CommandRow>>;
}

export function createCommandService(options: {
  readonly database: CloudDatabase;
  readonly orders: Pick<OrderSigner, 'sign'>;
  readonly dispatch: CommandDispatch;
  readonly waiting: CommandWaiting;
  readonly clock: Clock;
  readonly newUuid: () => string;
}): CommandService {
  const { database, orders, dispatch, waiting, clock, newUuid } = options;

  return {
    async send({ caller, access, request, source, waitSeconds = 0, signal }) {
      const { deviceId, deviceUuid, assignmentId } = access;
      const id = newUuid();
      const order = await database.db.transaction().execute(async (trx) => {
        const assignment =
          assignmentId === null ? undefined : await commandRepository.assignment(trx, assignmentId);
        if (assignmentId === null || assignment === undefined)
          throw new ProblemError('CONFLICT', 'Nobody owns this device: claim it first.');
        if (assignment.lifeCycle !== 'ACTIVE' && assignment.lifeCycle !== 'QUARANTINED')
          throw new ProblemError('CONFLICT', `The device takes no commands: it is ${assignment.lifeCycle}.`);
        const target = chooseTarget(request, await commandRepository.targets(trx, assignmentId));
        checkAction(request, target);
        const { componentId, componentType } = target;
        const seq = await commandRepository.nextSeq(trx, componentId);
        if (seq === undefined) throw new ProblemError('NOT_FOUND', 'The component was detached.');
        const topic = topics.command.build({ deviceUuid, componentType, action: request.action });
        const now = clock.now();
        const expiresAt = now + Math.round(request.ttlSeconds * 1_000);
        const jws = await orders.sign(orderTypes.command, {
          aud: deviceUuid,
          asg: assignment.number,
          topic,
          jti: id,
          exp: expiresAt / 1_000,
          seq,
          componentId,
          componentType,
          action: request.action,
          args: { ...request.args },
        });
        await commandRepository.insert(trx, {
          id,
          deviceId,
          assignmentId,
          componentId,
          userId: caller.userId,
          action: request.action,
          args: request.args,
          seq,
          topic,
          jws,
          createdAt: new Date(now),
          expiresAt: new Date(expiresAt),
        });
        await writeAudit(trx, {
          actorUserId: caller.userId,
          action: 'command.send',
          objectType: 'command',
          objectId: id,
          detail: { deviceUuid, componentId, componentType, action: request.action, args: request.args },
          source,
        });
        return { id, topic, jws };
      });
      const finished = waitSeconds > 0 ? waiting.final(id, waitSeconds * 1_000, signal) : undefined;
      // Not awaited: a failure is made good by the sweep, and the device may answer before this is noted.
      void dispatch.publish([order]);
      return { commandId: id, command: await finished };
    },
    async list({ deviceId, role }, { userId }, { cursor, ...query }) {
      const scope = { deviceId, userId: role === 'admin' ? undefined : userId };
      const position = z.tuple([z.number(), z.int(), z.uuid()]);
      const after = cursor === undefined ? {} : { after: decodeCursor(position, cursor) };
      return await commandRepository.list(database.db, scope, { ...query, ...after });
    },
  };
}
