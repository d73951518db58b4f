import type { OperatingSession, SessionOptions } from './types.ts';

/** A claimed device at work: samples, signs, publishes, obeys. */
export function createOperatingSession(_options: SessionOptions): OperatingSession {
  throw new Error('The operating session is not built yet.');
}
