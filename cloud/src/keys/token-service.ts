import { ProblemError, type ProblemIssue } from '@ares/protocol';
import {
  checkOfflineToken,
  OFFLINE_TOKEN_TYPE,
  type OfflineTokenClaims,
  type OfflineTokenProblem,
  readOfflineToken,
} from '@ares/protocol/offline-tokens';
import { z } from 'zod';
import type { Caller } from '../accounts/types.ts';
import { writeAudit } from '../audit/audit-log.ts';
import type { DeviceAccess } from '../devices/types.ts';
import { decodeCursor } from '../http/paging.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import { keyContext, signWith } from './key-material.ts';
import { notYours } from './key-service.ts';
import { keyRepository } from './repository.ts';
import { tokenRepository } from './token-repository.ts';
import { type KeysConfig, keysDefaults, type TokenRow } from './types.ts';

/** A key may be rotated between reading and using it. */
const ATTEMPTS = 3;

export interface IssuedToken {
  readonly token: string;
  readonly jti: string;
  readonly kid: string;
  readonly expiresAt: Date;
}

export type TokenService = ReturnType<typeof createTokenService>;

/** Issues, verifies and revokes offline tokens. */
export function createTokenService(ports: {
  readonly database: CloudDatabase;
  readonly secrets: Pick<SecretStore, 'open'>;
  readonly clock: Clock;
  readonly newUuid: () => string;
  /** `iss` of every token. */
  readonly issuer: string;
  readonly config?: Partial<KeysConfig>;
}) {
  const { database, secrets, clock, newUuid, issuer } = ports;
  const { mostTokens }: KeysConfig = { ...keysDefaults, ...ports.config };
  const { db } = database;

  /** Signed outside of the transaction, which then makes sure that key and assignment still are the ones. */
  async function attempt(
    access: DeviceAccess & { readonly assignmentId: number },
    request: { readonly scope: readonly string[]; readonly ttlSeconds: number },
    by: { readonly caller: Caller; readonly source: string },
  ): Promise<IssuedToken | undefined> {
    const { deviceId, deviceUuid, assignmentId } = access;
    const assignment = await tokenRepository.assignment(db, assignmentId);
    if (assignment === undefined) throw notYours(deviceUuid);
    if (assignment.lifeCycle !== 'ACTIVE')
      throw new ProblemError(
        'CONFLICT',
        `No tokens are issued for a device that is ${assignment.lifeCycle}.`,
      );
    const key = await keyRepository.active(db, deviceId);
    if (key === undefined) throw noKey(deviceUuid);
    const iat = Math.floor(clock.now() / 1_000);
    const claims: OfflineTokenClaims = {
      iss: issuer,
      aud: deviceUuid,
      asg: assignment.number,
      sub: by.caller.userUuid,
      jti: newUuid(),
      iat,
      nbf: iat,
      exp: iat + request.ttlSeconds,
      scope: request.scope.join(' '),
    };
    const opened = await secrets.open(key.sealed, keyContext(deviceUuid, key.kid));
    const token = await signWith(opened, OFFLINE_TOKEN_TYPE, claims);
    const expiresAt = new Date(claims.exp * 1_000);
    const stored = await db.transaction().execute(async (trx) => {
      if (!(await keyRepository.lock(trx, access))) throw notYours(deviceUuid);
      if ((await keyRepository.active(trx, deviceId))?.id !== key.id) return false;
      await checkScope(trx, assignmentId, request.scope);
      await checkQuota(trx, assignmentId);
      await tokenRepository.insert(trx, {
        jti: claims.jti,
        deviceId,
        assignmentId,
        keyId: key.id,
        userId: by.caller.userId,
        scope: request.scope,
        issuedAt: new Date(iat * 1_000),
        expiresAt,
      });
      await writeAudit(trx, {
        actorUserId: by.caller.userId,
        action: 'offline-token.issue',
        objectType: 'offline-token',
        objectId: claims.jti,
        detail: { deviceUuid, scope: [...request.scope], expiresAt: expiresAt.toISOString() },
        source: by.source,
      });
      return true;
    });
    return stored ? { token, jti: claims.jti, kid: key.kid, expiresAt } : undefined;
  }

  async function checkQuota(trx: Queries, assignmentId: number): Promise<void> {
    const count = await tokenRepository.countUnexpired(trx, assignmentId, new Date(clock.now()));
    if (count < mostTokens) return;
    throw new ProblemError(
      'TOO_MANY_REQUESTS',
      `${count} tokens of this device have not expired yet: that is as many as a revocation list can name.`,
      { retryAfterSeconds: 60 },
    );
  }

  async function revoke(
    access: DeviceAccess,
    jti: string | undefined,
    by: { readonly userId: number; readonly source: string },
  ): Promise<number> {
    return await db.transaction().execute(async (trx) => {
      if (!(await keyRepository.lock(trx, access))) throw notYours(access.deviceUuid);
      if (jti !== undefined && !(await tokenRepository.knows(trx, access, jti)))
        throw new ProblemError('NOT_FOUND', `The device has no token ${jti}.`);
      const revoked = await tokenRepository.revoke(trx, { access, jti, at: new Date(clock.now()) });
      if (revoked.length === 0) return 0;
      await keyRepository.raiseRevocations(trx, access.deviceId);
      for (const one of revoked) {
        await writeAudit(trx, {
          actorUserId: by.userId,
          action: 'offline-token.revoke',
          objectType: 'offline-token',
          objectId: one,
          detail: { deviceUuid: access.deviceUuid },
          source: by.source,
        });
      }
      return revoked.length;
    });
  }

  return {
    /**
     * @param access.role only the owner's own word counts: a token acts in his name
     * @throws {ProblemError} NOT_FOUND, CONFLICT (no key, no owner, not ACTIVE), UNKNOWN_ACTION, TOO_MANY_REQUESTS
     */
    async issue(
      access: DeviceAccess,
      request: { readonly scope: readonly string[]; readonly ttlSeconds: number },
      by: { readonly caller: Caller; readonly source: string },
    ): Promise<IssuedToken> {
      const { assignmentId } = access;
      if (assignmentId === null) throw notYours(access.deviceUuid);
      for (let n = 0; n < ATTEMPTS; n += 1) {
        const issued = await attempt({ ...access, assignmentId }, request, by);
        if (issued !== undefined) return issued;
      }
      throw new ProblemError('CONFLICT', 'The key of the device is being changed just now: ask again.');
    },

    /** Why a token does not count at this moment; `undefined` when it does. */
    async verify(request: {
      readonly token: string;
      readonly deviceUuid?: string | undefined;
      readonly action?: string | undefined;
    }): Promise<OfflineTokenProblem | undefined> {
      const kid = readOfflineToken(request.token)?.kid;
      const key = kid === undefined ? undefined : await tokenRepository.keyWithDevice(db, kid);
      const result = checkOfflineToken(request.token, () => key?.publicJwk, {
        issuer,
        deviceUuid: key?.deviceUuid ?? '',
        assignment: key?.assignment ?? undefined,
        now: clock.now(),
      });
      if (!result.ok) return result.problem;
      const { aud, jti, scope } = result.claims;
      if (request.deviceUuid !== undefined && request.deviceUuid !== aud) return 'AUDIENCE';
      if (key?.deactivated !== false) return 'KEY_DEACTIVATED';
      if (!(await tokenRepository.stands(db, jti))) return 'REVOKED';
      return request.action === undefined || scope.split(' ').includes(request.action) ? undefined : 'SCOPE';
    },

    /** One token, or all of the device. @returns how many @throws {ProblemError} NOT_FOUND */
    revoke,

    /** By whoever holds the token or knows its jti. @throws {ProblemError} NOT_FOUND when it is not his */
    async revokeByToken(
      caller: Caller,
      which: { readonly token: string } | { readonly jti: string },
      source: string,
    ): Promise<void> {
      const jti = 'jti' in which ? which.jti : readOfflineToken(which.token)?.claims?.jti;
      const access = jti === undefined ? undefined : await tokenRepository.accessByToken(db, caller, jti);
      if (access === undefined) throw new ProblemError('NOT_FOUND', 'You issued no such token.');
      await revoke(access, jti, { userId: caller.userId, source });
    },

    /** Newest first; one row more than `limit`. @throws {ProblemError} INVALID_REQUEST for a foreign cursor */
    list(
      access: DeviceAccess,
      query: {
        readonly status?: TokenRow['status'] | undefined;
        readonly cursor?: string | undefined;
        readonly limit: number;
      },
    ): Promise<TokenRow[]> {
      const { status, cursor, limit } = query;
      const place = cursor === undefined ? undefined : decodeCursor(cursorSchema, cursor);
      const before = place && { issuedAt: new Date(place[0]), jti: place[1] };
      return tokenRepository.list(db, { access, status, before, limit, now: new Date(clock.now()) });
    },
  };
}

const cursorSchema = z.tuple([z.int(), z.uuid()]);

/** @throws {ProblemError} UNKNOWN_ACTION with one issue for each item that the device could never do */
async function checkScope(trx: Queries, assignmentId: number, scope: readonly string[]): Promise<void> {
  const types = await tokenRepository.attachedTypes(trx, assignmentId);
  const known = new Set(
    types.flatMap(({ componentType, actions }) => actions.map(({ action }) => `${componentType}:${action}`)),
  );
  const issues: ProblemIssue[] = scope.flatMap((item, at) =>
    known.has(item) ? [] : [{ path: `scope.${at}`, message: `${item} is nothing that this device can do` }],
  );
  if (issues.length === 0) return;
  const list = [...known].sort().join(', ');
  throw new ProblemError(
    'UNKNOWN_ACTION',
    `${issues.map(({ message }) => message).join('; ')}. It knows ${list === '' ? 'no action' : list}.`,
    { issues },
  );
}

const noKey = (deviceUuid: string) =>
  new ProblemError(
    'CONFLICT',
    `The device has no key for offline tokens: make one with POST /api/devices/${deviceUuid}/keys/rotate.`,
  );
