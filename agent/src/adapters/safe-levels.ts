import { spawn } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SafeOutput } from '@ares/hardware-drivers';

/** Longer than the script itself takes to replace a holder that hangs. */
const holderTimeoutMs = 10_000;

/**
 * Writes the safe level of each of them, past every driver, whatever becomes of the others; all are written before any
 * is waited for. @throws the first failure
 */
export async function writeSafeLevels(outputs: readonly SafeOutput[]): Promise<void> {
  const failures: unknown[] = [];
  const written = outputs.filter(({ path, safeValue }) => {
    try {
      // For both: a FIFO without a reader takes the level too, and nobody waits.
      writeFileSync(path, `${safeValue}\n`, { flag: 'r+' });
      return true;
    } catch (cause) {
      failures.push(cause);
      return false;
    }
  });
  await Promise.all(
    written
      .filter(({ path }) => statSync(path, { throwIfNoEntry: false })?.isFIFO() === true)
      .map((output) => confirm(output).catch((cause: unknown) => failures.push(cause))),
  );
  if (failures.length > 0) throw failures[0];
}

/** A line of the character device has the level only when its holder says so; a holder that is gone is replaced. */
async function confirm({ bcm, path, safeValue }: SafeOutput): Promise<void> {
  const folder = dirname(path);
  const script = join(dirname(folder), 'line-holder.sh');
  const child = spawn('/bin/sh', [script, folder, safeValue], {
    detached: true,
    stdio: 'ignore',
    timeout: holderTimeoutMs,
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  if (code !== 0) throw new Error(`GPIO ${bcm} is not held at its safe level (line-holder.sh: ${code})`);
}
