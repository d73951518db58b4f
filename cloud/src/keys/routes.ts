import type { Handlers } from '../http/handlers.ts';
import { toPage } from '../http/paging.ts';
import type { KeyService } from './key-service.ts';
import type { RevocationList } from './revocation-list.ts';
import type { TokenService } from './token-service.ts';
import { type KeyRow, keysDefaults, type TokenRow } from './types.ts';

type Routes =
  | 'rotateKey'
  | 'listKeys'
  | 'deactivateKey'
  | 'deviceJwks'
  | 'issueOfflineToken'
  | 'listOfflineTokens'
  | 'verifyOfflineToken'
  | 'revokeOfflineToken'
  | 'revokeOfflineTokens'
  | 'offlineRevocations'
  | 'deviceOfflineRevocations';

export function keyRoutes(options: {
  readonly keys: KeyService;
  readonly tokens: TokenService;
  readonly revocations: RevocationList;
}): Pick<Handlers, Routes> {
  const { keys, tokens, revocations } = options;
  const listOf = async (deviceUuid: string) => ({
    status: 200 as const,
    body: { revocations: await revocations(deviceUuid) },
  });
  return {
    rotateKey: async ({ access, body, caller, source }) => ({
      status: 201,
      body: toKey(await keys.rotate(access, body.alg, { userId: caller.userId, source })),
    }),
    listKeys: async ({ access, query }) => ({
      status: 200,
      body: toPage(await keys.list(access, query), query.limit, {
        positionOf: ({ id }) => id,
        toItem: toKey,
      }),
    }),
    deactivateKey: async ({ access, params, caller, source }) => ({
      status: 200,
      body: toKey(await keys.deactivate(access, params.kid, { userId: caller.userId, source })),
    }),
    deviceJwks: async ({ params }) => ({ status: 200, body: await keys.jwks(params.id) }),
    async issueOfflineToken({ access, body, caller, source }) {
      const { token, jti, kid, expiresAt } = await tokens.issue(access, body, { caller, source });
      return { status: 201, body: { token, jti, kid, expiresAt: expiresAt.toISOString() } };
    },
    listOfflineTokens: async ({ access, query }) => ({
      status: 200,
      body: toPage(await tokens.list(access, query), query.limit, {
        positionOf: ({ issuedAt, jti }) => [issuedAt.getTime(), jti],
        toItem: toToken,
      }),
    }),
    async verifyOfflineToken({ body }) {
      const problem = await tokens.verify(body);
      return { status: 200, body: { valid: problem === undefined, reason: problem ?? null } };
    },
    async revokeOfflineToken({ caller, body, source }) {
      await tokens.revokeByToken(caller, body, source);
      return { status: 204 };
    },
    revokeOfflineTokens: async ({ access, body, caller, source }) => ({
      status: 200,
      body: { revoked: await tokens.revoke(access, body.jti, { userId: caller.userId, source }) },
    }),
    offlineRevocations: ({ params }) => listOf(params.id),
    deviceOfflineRevocations: ({ params }) => listOf(params.id),
  };
}

function toKey({ kid, alg, createdAt, rotatedAt, deactivatedAt }: KeyRow) {
  const until =
    rotatedAt !== null && deactivatedAt === null ? rotatedAt.getTime() + keysDefaults.overlapMs : null;
  return {
    kid,
    alg,
    status:
      deactivatedAt !== null
        ? ('DEACTIVATED' as const)
        : rotatedAt !== null
          ? ('ROTATED' as const)
          : ('ACTIVE' as const),
    createdAt: createdAt.toISOString(),
    publishedUntil: until === null ? null : new Date(until).toISOString(),
    deactivatedAt: deactivatedAt?.toISOString() ?? null,
  };
}

function toToken(row: TokenRow) {
  return {
    ...row,
    scope: [...row.scope],
    issuedAt: row.issuedAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    revokedAt: row.revokedAt?.toISOString() ?? null,
  };
}
