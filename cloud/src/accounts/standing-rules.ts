import { ProblemError } from '@ares/protocol';
import type { Queries } from '../ports/database.ts';
import { accountRepository } from './repository.ts';
import { type Account, type Caller, isAdmin, type RoleName } from './types.ts';

/**
 * An installation without a prime administrator could never make one again.
 * @throws {ProblemError} LAST_ADMINISTRATOR
 */
export async function assertNotLastPrimeAdmin(trx: Queries, account: Account): Promise<void> {
  if (!account.roles.includes('prime_admin') || account.suspended) return;
  if ((await accountRepository.countPrimeAdmins(trx)) > 1) return;
  throw new ProblemError(
    'LAST_ADMINISTRATOR',
    'This is the last prime administrator: make somebody else one first.',
  );
}

/**
 * Whoever may change an administrator's account could become one by it, so that is for prime administrators.
 * @throws {ProblemError} FORBIDDEN
 */
export function assertMayManage(caller: Pick<Caller, 'roles'>, account: Pick<Account, 'roles'>): void {
  if (isAdmin(account) && !caller.roles.includes('prime_admin')) throw forbidden();
}

/** @throws {ProblemError} FORBIDDEN */
export function assertMayGrant(caller: Pick<Caller, 'roles'>, role: RoleName): void {
  if (role !== 'developer' && !caller.roles.includes('prime_admin')) throw forbidden();
}

function forbidden(): ProblemError {
  return new ProblemError('FORBIDDEN', 'Only a prime administrator may do this with administrators.');
}
