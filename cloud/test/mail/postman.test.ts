import { afterEach, describe, expect, it } from 'vitest';
import { createPostman } from '../../src/mail/postman.ts';
import type { Letter } from '../../src/ports/mailer.ts';
import { MailerError, type MailerErrorCode } from '../../src/ports/mailer.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';
import { silentLogger, until } from '../support/quiet.ts';

const HOUR_MS = 3_600_000;

let world: HttpWorld;
afterEach(() => world.close());

/** A mailer that fails as it is told, and notes what it took. */
function mailer() {
  const taken: Letter[] = [];
  const state: { fails: MailerErrorCode | undefined; before: () => Promise<void> } = {
    fails: undefined,
    before: async () => undefined,
  };
  return {
    taken,
    state,
    async send(letter: Letter) {
      await state.before();
      if (state.fails !== undefined) throw new MailerError(state.fails, 'no');
      taken.push(letter);
    },
    close: async () => undefined,
  };
}

async function start() {
  const post = mailer();
  world = await httpWorld({ accounts: { mailer: post } });
  const { mails, postman } = world.parts;
  const put = (kind: 'password-changed' | 'reset-password', email: string) =>
    mails.put(world.database.db, { kind, email });
  const waiting = async () =>
    (await world.database.db.selectFrom('mails').select('email').execute()).map(({ email }) => email);
  return { ...post, put, postman, waiting };
}

describe('mails', () => {
  it('are there when their transaction is, and only then', async () => {
    const { postman, taken } = await start();
    const { mails } = world.parts;
    await expect(
      world.database.db.transaction().execute(async (trx) => {
        await mails.put(trx, { kind: 'password-changed', email: 'rolled-back@example.org' });
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    expect(await postman.round()).toBe(0);
    expect(taken).toEqual([]);
  });

  it('are not lost while the mail server is away, and go when it is back', async () => {
    const { postman, taken, state, put, waiting } = await start();
    state.fails = 'UNAVAILABLE';
    await put('password-changed', 'ada@example.org');
    for (let hour = 0; hour < 24; hour += 1) {
      await postman.round();
      world.clock.advance(HOUR_MS);
    }
    expect(await waiting()).toEqual(['ada@example.org']);
    state.fails = undefined;
    expect(await postman.round()).toBe(1);
    expect(taken.map(({ to }) => to)).toEqual(['ada@example.org']);
    expect(await waiting()).toEqual([]);
  });

  it('are tried less and less often', async () => {
    const { postman, state, put } = await start();
    let tries = 0;
    state.fails = 'UNAVAILABLE';
    state.before = async () => {
      tries += 1;
    };
    await put('password-changed', 'ada@example.org');
    for (let second = 0; second < 600; second += 5) {
      await postman.round();
      world.clock.advance(5_000);
    }
    // After 0, 5, 15, 35, 75, 155, 315 s.
    expect(tries).toBe(7);
  });

  it('are given up after three days, and one with a code after an hour', async () => {
    const { postman, state, put, waiting } = await start();
    const { email } = await world.person();
    state.fails = 'MISCONFIGURED';
    await put('password-changed', 'ada@example.org');
    await put('reset-password', email);
    world.clock.advance(HOUR_MS);
    await postman.round();
    expect(await waiting()).toEqual(['ada@example.org']);
    world.clock.advance(72 * HOUR_MS);
    await postman.round();
    expect(await waiting()).toEqual([]);
  });

  it('that a server will never take are not sent again and again', async () => {
    const { postman, state, put, waiting } = await start();
    state.fails = 'REFUSED';
    await put('password-changed', 'nobody@example.org');
    await postman.round();
    expect(await waiting()).toEqual([]);
  });

  it('hold up no others', async () => {
    const { postman, taken, state, put } = await start();
    let first = true;
    state.before = async () => {
      if (!first) return;
      first = false;
      throw new Error('something unforeseen');
    };
    for (const name of ['a', 'b', 'c']) await put('password-changed', `${name}@example.org`);
    expect(await postman.round()).toBe(2);
    expect(taken).toHaveLength(2);
  });

  it('go once by several processes', async () => {
    const { postman, taken, put } = await start();
    for (let n = 0; n < 20; n += 1) await put('password-changed', `${n}@example.org`);
    const rounds = await Promise.all([postman.round(), postman.round(), postman.round(), postman.round()]);
    expect(rounds.reduce((sum, sent) => sum + sent, 0)).toBe(taken.length);
    expect(new Set(taken.map(({ to }) => to)).size).toBe(taken.length);
  });

  it('of a process that died while it sent go by another one, under the same id', async () => {
    const { postman, taken, state, put } = await start();
    let died: (() => void) | undefined;
    state.before = () =>
      new Promise<void>((resume) => {
        died = resume;
      });
    await put('password-changed', 'ada@example.org');
    const dead = postman.round();
    await until(() => died, 'a mail is being sent');
    state.before = async () => undefined;
    expect(await postman.round()).toBe(0);
    world.clock.advance(5 * 60_000);
    expect(await postman.round()).toBe(1);
    died?.();
    await dead;
    expect(new Set(taken.map(({ id }) => id)).size).toBe(1);
  });

  it('are sent outside of any transaction: a slow server holds no row', async () => {
    const { postman, state, put } = await start();
    let resume: (() => void) | undefined;
    state.before = () =>
      new Promise<void>((done) => {
        resume = done;
      });
    await put('password-changed', 'ada@example.org');
    const sending = postman.round();
    await until(() => resume, 'a mail is being sent');
    const locked = await world.database.db.selectFrom('mails').select('id').forUpdate().noWait().execute();
    expect(locked).toHaveLength(1);
    resume?.();
    await sending;
  });

  it('go at once when a process listens', async () => {
    const { taken, put, send } = await start();
    const postman = createPostman({
      database: world.database,
      clock: world.clock,
      log: silentLogger,
      mailer: { send, close: async () => undefined },
      write: async () => ({ subject: 'Hello', text: 'Hello.' }),
    });
    postman.start();
    await put('password-changed', 'ada@example.org');
    await until(() => taken.length === 1, 'the mail went', 3_000);
    await postman.stop();
  });
});
