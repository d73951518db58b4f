import { ProblemError } from '@ares/protocol';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { Account } from './types.ts';

const UNIQUE_VIOLATION = '23505';
/**
 * A device learns the address of its owner with each certificate, so none names an older one for longer than a
 * certificate lives and a connection lasts: one day, doubled.
 */
const FORMER_MS = 2 * 86_400_000;

/**
 * Gives an account its new address. Its devices go on under the old one until their next renewal; readings that
 * wait are sent under the new one then, as topic and MAC are made at sending.
 * @throws {ProblemError} EMAIL_TAKEN
 */
export async function moveEmail(
  database: Pick<CloudDatabase, 'notify'>,
  trx: Queries,
  { account, email, at }: { account: Account; email: string; at: Date },
): Promise<void> {
  try {
    await trx
      .updateTable('users')
      .set({ email, email_verified_at: at })
      .where('id', '=', account.userId)
      .execute();
  } catch (cause) {
    if ((cause as { code?: string }).code !== UNIQUE_VIOLATION) throw cause;
    const detail = 'There is another account with this e-mail: sign in there.';
    throw new ProblemError('EMAIL_TAKEN', detail, { cause });
  }
  const row = { email: account.email, accepted_until: new Date(at.getTime() + FORMER_MS) };
  await trx
    .insertInto('former_emails')
    .values({ user_id: account.userId, ...row })
    .onConflict((conflict) => conflict.columns(['user_id', 'email']).doUpdateSet(row))
    .execute();
  const devices = await trx
    .selectFrom('assignments as a')
    .innerJoin('devices as d', 'd.id', 'a.device_id')
    .where('a.user_id', '=', account.userId)
    .where('a.ended_at', 'is', null)
    .select('d.device_uuid as deviceUuid')
    .execute();
  for (const { deviceUuid } of devices) await database.notify(trx, 'device', { deviceUuid });
}
