import { describe, expect, it } from 'vitest';
import { isDatabaseAway } from '../../src/database/database-away.ts';

const failure = (fields: object, message = 'x') => Object.assign(new Error(message), fields);

describe('a failed query', () => {
  it.each([
    failure({ code: 'ECONNREFUSED', syscall: 'connect' }),
    failure({ code: 'ENOENT', syscall: 'connect' }),
    failure({ code: '57P03' }, 'the database system is starting up'),
    failure({ code: '57P01' }),
    failure({ code: '53300' }),
    failure({}, 'Connection terminated unexpectedly'),
    failure({}, 'timeout exceeded when trying to connect'),
  ])('tells that the database is away: %o', (error) => {
    expect(isDatabaseAway(error)).toBe(true);
  });

  it.each([
    failure({ code: 'ENOENT', syscall: 'open' }),
    failure({ code: '23505' }),
    failure({ code: '28P01' }),
    failure({}, 'cannot read properties of undefined'),
    undefined,
    { code: '57P01' },
  ])('tells that it was refused or is no failure of the database: %o', (error) => {
    expect(isDatabaseAway(error)).toBe(false);
  });
});
