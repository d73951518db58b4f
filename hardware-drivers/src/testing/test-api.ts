/** The checks that the suites use. */
interface Checks {
  toBe(expected: unknown): unknown;
  toEqual(expected: unknown): unknown;
  toMatchObject(expected: object): unknown;
  toBeGreaterThanOrEqual(expected: number): unknown;
  toBeLessThanOrEqual(expected: number): unknown;
}

/**
 * What the contract suites need of a test runner. `{ describe, it, expect }` of Vitest or Jest fits, so this package
 * depends on neither.
 */
export interface TestApi {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
  expect(value: unknown, message?: string): Checks;
}

/** What `task` was rejected with. @throws {Error} when it was not */
export async function rejectionOf(task: () => Promise<unknown>): Promise<unknown> {
  try {
    await task();
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection, but it succeeded');
}
