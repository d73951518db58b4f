import { normalizeEmail, ProblemError } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { RandomBytes } from '../ports/random.ts';
import type { PasswordHasher } from './passwords.ts';
import { accountRepository } from './repository.ts';

const PASSWORD_BYTES = 15;

/**
 * Makes an administrator with a random password of 120 bits, for whoever may write to the database anyway. An
 * account that exists is never raised: a stranger may have registered it and be signed in.
 * @throws {ProblemError} EMAIL_TAKEN
 */
export async function createAdministrator(
  ports: {
    readonly database: Pick<CloudDatabase, 'db'>;
    readonly hasher: Pick<PasswordHasher, 'hash'>;
    readonly random: RandomBytes;
  },
  wanted: { readonly email: string },
): Promise<{ readonly email: string; readonly password: string }> {
  const email = normalizeEmail(wanted.email);
  const password = ports.random(PASSWORD_BYTES).toString('base64url');
  const passwordHash = await ports.hasher.hash(password);
  await ports.database.db.transaction().execute(async (trx) => {
    const account = await accountRepository.insert(trx, { email, passwordHash });
    if (account === undefined) {
      throw new ProblemError(
        'EMAIL_TAKEN',
        `There is an account ${email} already, and whoever made it may be signed in: choose another e-mail.`,
      );
    }
    await accountRepository.addRoles(trx, account.userId, ['prime_admin']);
    await writeAudit(trx, {
      actorUserId: null,
      action: 'user.create-administrator',
      objectType: 'user',
      objectId: account.userUuid,
      detail: { roles: ['prime_admin'] },
    });
  });
  return { email, password };
}
