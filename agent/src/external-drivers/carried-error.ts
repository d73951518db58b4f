import { DriverError, type DriverErrorCode, GpioError, type GpioErrorCode } from '@ares/hardware-drivers';
import type { Answer, CarriedError } from '../ports/drivers-child.ts';

/** An error as plain data: a driver may throw anything. */
export function carry(thrown: unknown): CarriedError {
  if (!(thrown instanceof Error)) return { name: 'Error', message: reasonOf(thrown) };
  const { name } = thrown;
  const message = reasonOf(thrown);
  if (thrown instanceof DriverError)
    return { name, message, code: thrown.code, details: plain(thrown.details) };
  if (thrown instanceof GpioError) return { name, message, code: thrown.code, details: { bcm: thrown.bcm } };
  return { name, message };
}

/** The same error on the other side. */
export function revive({ name, message, code, details = {} }: CarriedError): Error {
  if (name === 'DriverError') return new DriverError(code as DriverErrorCode, message, { details });
  if (name === 'GpioError')
    return new GpioError(
      code as GpioErrorCode,
      message,
      typeof details.bcm === 'number' ? { bcm: details.bcm } : {},
    );
  return new Error(message);
}

/** Runs a task and answers with what came of it. Never rejects. */
export async function answerOf(task: () => Promise<unknown>): Promise<Answer> {
  try {
    return { ok: true, value: await task() };
  } catch (thrown) {
    return { ok: false, error: carry(thrown) };
  }
}

/** What anything thrown says, bounded. */
export function reasonOf(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, 500);
}

function plain(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value)),
  );
}
