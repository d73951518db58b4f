import { createInterface } from 'node:readline';
import type { BenchCloud } from '../bench-cloud.ts';

const program = new URL('variant.ts', import.meta.url);
const START_WITHIN_MS = 30_000;

/**
 * Replaces the cloud by one of the variants and waits until it is ready.
 * Answers what reads its next line. @throws when it says nothing in time
 */
export async function startVariant(
  cloud: BenchCloud,
  ...args: string[]
): Promise<(withinMs: number) => Promise<Record<string, unknown>>> {
  const child = await cloud.replaceBy(program, args);
  const lines = createInterface({ input: child.process.stdout! })[Symbol.asyncIterator]();
  const nextLine = async (withinMs: number): Promise<Record<string, unknown>> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${args.join(' ')} said nothing in time`)), withinMs);
    });
    const { value, done } = await Promise.race([lines.next(), late]).finally(() => clearTimeout(timer));
    if (done === true) throw new Error(`${args.join(' ')} ended`);
    return JSON.parse(value) as Record<string, unknown>;
  };
  await nextLine(START_WITHIN_MS);
  return nextLine;
}
