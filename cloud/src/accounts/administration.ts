import { normalizeEmail, ProblemError } from '@ares/protocol';
import { z } from 'zod';
import { writeAudit } from '../audit/audit-log.ts';
import { assertMatch, type IfMatch } from '../http/conditional.ts';
import { decodeCursor, type Page, toPage } from '../http/paging.ts';
import type { MailQueue } from '../mail/queue.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { RandomBytes } from '../ports/random.ts';
import { administrationRepository, type UserFilter, type UserSort } from './administration-repository.ts';
import { assertTimeZone, type ProfileEdit } from './own-account.ts';
import { assertGoodPassword } from './password-rules.ts';
import type { PasswordHasher } from './passwords.ts';
import { accountRepository } from './repository.ts';
import { auditOf } from './service.ts';
import type { Sessions } from './sessions.ts';
import { assertMayGrant, assertMayManage, assertNotLastPrimeAdmin } from './standing-rules.ts';
import type { Account, Caller, ManagedAccount, RoleName } from './types.ts';

/** Nobody knows such a password: its account is opened by the code that is mailed. */
const UNKNOWN_PASSWORD_BYTES = 32;

type Act = { readonly caller: Caller; readonly userUuid: string; readonly source: string };

export type Administration = ReturnType<typeof createAdministration>;

/** What administrators do with accounts. The account is locked first, so that two of them act one after the other. */
export function createAdministration(ports: {
  readonly database: CloudDatabase;
  readonly hasher: Pick<PasswordHasher, 'hash'>;
  readonly sessions: Pick<Sessions, 'endAll'>;
  readonly mails: MailQueue;
  readonly clock: Clock;
  readonly random: RandomBytes;
}) {
  const { database, hasher, sessions, mails, clock, random } = ports;
  const { db } = database;

  const find = async (queries: Queries, userUuid: string): Promise<ManagedAccount> => {
    const account = await administrationRepository.find(queries, userUuid);
    if (account === undefined) throw notThere();
    return account;
  };
  /** Runs `change` on the locked account; it answers what to note, or `undefined` where nothing changed. */
  const act = (
    { caller, userUuid, source }: Act,
    change: (
      trx: Queries,
      account: Account,
    ) => Promise<{ action: string; detail?: Record<string, unknown> } | undefined>,
  ): Promise<ManagedAccount> =>
    db.transaction().execute(async (trx) => {
      await accountRepository.lockAdministration(trx);
      const account = await accountRepository.lockByUuid(trx, userUuid);
      if (account === undefined || account.deleted) throw notThere();
      assertMayManage(caller, account);
      const note = await change(trx, account);
      if (note !== undefined) {
        const { action, detail } = note;
        const row = auditOf(action, account, caller.userId, source);
        await writeAudit(trx, { ...row, ...(detail !== undefined && { detail }) });
      }
      return find(trx, userUuid);
    });

  return {
    get: (userUuid: string) => find(db, userUuid),

    async list(
      query: UserFilter & {
        readonly sort: UserSort;
        readonly cursor?: string | undefined;
        readonly limit: number;
      },
    ): Promise<Page<ManagedAccount>> {
      const { sort, cursor, limit, email, ...filter } = query;
      const after =
        cursor === undefined
          ? undefined
          : decodeCursor(z.tuple([z.literal(sort), z.string(), z.int()]), cursor);
      if (after !== undefined && !sort.endsWith('email') && Number.isNaN(Date.parse(after[1]))) {
        throw new ProblemError(
          'INVALID_REQUEST',
          'The cursor is not one of this list: begin again without a cursor.',
        );
      }
      const rows = await administrationRepository.list(db, {
        filter: { ...filter, ...(email !== undefined && { email: normalizeEmail(email) }) },
        sort,
        after: after && [after[1], after[2]],
        limit: limit + 1,
      });
      return toPage(rows, limit, {
        positionOf: (row) => [
          sort,
          sort.endsWith('email') ? row.email : row.createdAt.toISOString(),
          row.userId,
        ],
        toItem: (row) => row,
      });
    },

    /** @throws {ProblemError} EMAIL_TAKEN, FORBIDDEN, INVALID_REQUEST */
    async create(input: {
      readonly caller: Caller;
      readonly source: string;
      readonly email: string;
      readonly password?: string | undefined;
      readonly displayName?: string | null | undefined;
      readonly roles: readonly RoleName[];
    }): Promise<ManagedAccount> {
      const { caller, source, password, displayName, roles } = input;
      const email = normalizeEmail(input.email);
      for (const role of roles) assertMayGrant(caller, role);
      if (password !== undefined) assertGoodPassword(password, email);
      const passwordHash = await hasher.hash(
        password ?? random(UNKNOWN_PASSWORD_BYTES).toString('base64url'),
      );
      return db.transaction().execute(async (trx) => {
        const account = await accountRepository.insert(trx, {
          email,
          passwordHash,
          // Who gives a password vouches for the address; a mailed code shows it by itself.
          ...(password !== undefined && { verifiedAt: new Date(clock.now()) }),
          ...(displayName !== undefined && { profile: { displayName } }),
        });
        if (account === undefined) {
          throw new ProblemError('EMAIL_TAKEN', 'There is an account with this e-mail already.');
        }
        await accountRepository.addRoles(trx, account.userId, roles);
        const row = auditOf('user.create', account, caller.userId, source);
        await writeAudit(trx, { ...row, detail: { roles } });
        if (password === undefined) await mails.put(trx, { kind: 'invitation', email });
        return find(trx, account.userUuid);
      });
    },

    /** @throws {ProblemError} NOT_FOUND, FORBIDDEN, INVALID_REQUEST, PRECONDITION_FAILED */
    update(on: Act, edit: Omit<ProfileEdit, 'notifications'>, ifMatch: IfMatch): Promise<ManagedAccount> {
      assertTimeZone(edit.timeZone);
      return act(on, async (trx, account) => {
        assertMatch(ifMatch, account.version);
        await accountRepository.setProfile(trx, account.userId, edit);
        return { action: 'user.update', detail: { members: Object.keys(edit) } };
      });
    },

    /** Sessions and streams end at once. @throws {ProblemError} NOT_FOUND, FORBIDDEN, LAST_ADMINISTRATOR */
    suspend: (on: Act) =>
      act(on, async (trx, account) => {
        if (account.suspended) return undefined;
        await assertNotLastPrimeAdmin(trx, account);
        await accountRepository.setSuspended(trx, account.userId, new Date(clock.now()));
        await sessions.endAll(trx, account.userId, 'suspended');
        return { action: 'user.suspend' };
      }),

    /** @throws {ProblemError} NOT_FOUND, FORBIDDEN */
    unsuspend: (on: Act) =>
      act(on, async (trx, account) => {
        if (!account.suspended) return undefined;
        await accountRepository.setSuspended(trx, account.userId, null);
        return { action: 'user.unsuspend' };
      }),

    /** @throws {ProblemError} NOT_FOUND, FORBIDDEN */
    grantRole(on: Act, role: RoleName): Promise<ManagedAccount> {
      assertMayGrant(on.caller, role);
      return act(on, async (trx, account) => {
        if (account.roles.includes(role)) return undefined;
        await accountRepository.addRoles(trx, account.userId, [role]);
        return { action: 'user.grant-role', detail: { role } };
      });
    },

    /** @throws {ProblemError} NOT_FOUND, FORBIDDEN, LAST_ADMINISTRATOR */
    takeRole(on: Act, role: RoleName): Promise<ManagedAccount> {
      assertMayGrant(on.caller, role);
      return act(on, async (trx, account) => {
        if (!account.roles.includes(role)) return undefined;
        if (role === 'prime_admin') await assertNotLastPrimeAdmin(trx, account);
        await accountRepository.removeRole(trx, account.userId, role);
        return { action: 'user.take-role', detail: { role } };
      });
    },
  };
}

const notThere = () => new ProblemError('NOT_FOUND', 'There is no such user.');
