import type { Queries } from '../ports/database.ts';

export interface AuditFilter {
  /** `user_uuid` of who did it. */
  readonly actor?: string | undefined;
  /** Ends with a dot: every action that begins so. */
  readonly action?: string | undefined;
  readonly objectType?: string | undefined;
  readonly objectId?: string | undefined;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly to?: Date | undefined;
  /** Only rows with a lower id. */
  readonly before?: number | undefined;
}

/** Reads the audit log; rows are written by `writeAudit` only. */
export const auditRepository = {
  /** Newest first. */
  list(queries: Queries, filter: AuditFilter, limit: number) {
    const { actor, action, objectType, objectId, from, to, before } = filter;
    return queries
      .selectFrom('audit_log as l')
      .leftJoin('users as u', 'u.id', 'l.actor_user_id')
      .$if(actor !== undefined, (q) => q.where('u.user_uuid', '=', actor ?? ''))
      .$if(action !== undefined, (q) =>
        action?.endsWith('.') === true
          ? q.where('l.action', 'like', `${action}%`)
          : q.where('l.action', '=', action ?? ''),
      )
      .$if(objectType !== undefined, (q) => q.where('l.object_type', '=', objectType ?? ''))
      .$if(objectId !== undefined, (q) => q.where('l.object_id', '=', objectId ?? ''))
      .$if(from !== undefined, (q) => q.where('l.at', '>=', from ?? new Date(0)))
      .$if(to !== undefined, (q) => q.where('l.at', '<', to ?? new Date(0)))
      .$if(before !== undefined, (q) => q.where('l.id', '<', before ?? 0))
      .orderBy('l.id', 'desc')
      .limit(limit)
      .select([
        'l.id',
        'l.at',
        'l.action',
        'l.object_type',
        'l.object_id',
        'l.detail',
        'l.source',
        'l.chain_seq',
        'u.user_uuid',
        'u.email',
      ])
      .execute();
  },
};
