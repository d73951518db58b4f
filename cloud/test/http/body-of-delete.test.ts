import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
beforeAll(async () => {
  world = await httpWorld();
});
afterAll(() => world.close());

describe('a DELETE with a body', () => {
  it('has it read: an account goes with its password, and with no other', async () => {
    const person = await world.person();
    await expect(person.client.deleteMe({ body: { password: 'wrong' } })).rejects.toMatchObject({
      code: 'BAD_CREDENTIALS',
    });
    await person.client.deleteMe({ body: { password: 'correct horse battery' } });
    await expect(person.client.me()).rejects.toMatchObject({ code: 'AUTHENTICATION_REQUIRED' });
  });
});
