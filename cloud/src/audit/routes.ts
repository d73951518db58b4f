import { z } from 'zod';
import type { Handlers } from '../http/handlers.ts';
import { decodeCursor, toPage } from '../http/paging.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { auditRepository } from './repository.ts';

const position = z.int().positive();

export function auditRoutes({ db }: Pick<CloudDatabase, 'db'>): Pick<Handlers, 'audit'> {
  return {
    async audit({ query }) {
      const { cursor, limit, from, to, ...filter } = query;
      const rows = await auditRepository.list(
        db,
        {
          ...filter,
          from: from === undefined ? undefined : new Date(from),
          to: to === undefined ? undefined : new Date(to),
          before: cursor === undefined ? undefined : decodeCursor(position, cursor),
        },
        limit + 1,
      );
      const body = toPage(rows, limit, {
        positionOf: (row) => Number(row.id),
        toItem: (row) => ({
          id: Number(row.id),
          at: row.at.toISOString(),
          actor:
            row.user_uuid === null || row.email === null ? null : { userId: row.user_uuid, email: row.email },
          action: row.action,
          objectType: row.object_type,
          objectId: row.object_id,
          detail: row.detail,
          source: row.source,
          chainSeq: row.chain_seq === null ? null : Number(row.chain_seq),
        }),
      });
      return { status: 200, body };
    },
  };
}
