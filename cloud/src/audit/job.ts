import type { Logger } from '../ports/logger.ts';
import type { ScheduledJob } from '../ports/scheduler.ts';
import type { createAuditChain } from './chain.ts';

/** Chains new rows each minute. Its head goes to the log: what is kept outside the database proves its end. */
export function auditChainJob(ports: {
  readonly chain: ReturnType<typeof createAuditChain>;
  readonly log: Logger;
}): ScheduledJob {
  return {
    name: 'audit-chain',
    cron: '* * * * *',
    async run() {
      const head = await ports.chain.extend();
      if (head !== undefined) ports.log.info({ head: `${head.seq}:${head.mac}` }, 'chained the audit log');
    },
  };
}
