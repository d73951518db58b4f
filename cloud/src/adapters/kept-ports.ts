import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { createDurably, hasCode } from './durable-file.ts';

const keptSchema = z.strictObject({
  devices: z.int().min(1).max(65_535),
  mqtt: z.int().min(1).max(65_535),
});
export type KeptPorts = z.infer<typeof keptSchema>;

/** Below what Linux gives to outgoing connections (32768 and up): a kept port is not taken by chance. */
const LOWEST = 20_000;
const HIGHEST = 30_000;
const TRIES = 50;

/** A port is taken, or the file that keeps ports is damaged. The message says what to do. */
class PortError extends Error {
  override readonly name = 'PortError';
  readonly code: 'PORT_TAKEN' | 'NO_FREE_PORT' | 'PORTS_DAMAGED';

  constructor(code: PortError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The ports of this installation, chosen free once and the same at every start: devices keep them. Of processes
 * that start together one chooses and all take its choice.
 * @throws {PortError} PORTS_DAMAGED, NO_FREE_PORT
 */
export async function keepPorts(folder: string): Promise<KeptPorts> {
  const file = join(folder, 'ports.json');
  const known = await readPorts(file);
  if (known !== undefined) return known;
  const devices = await freePort([]);
  const chosen: KeptPorts = { devices, mqtt: await freePort([devices]) };
  await createDurably(file, `${JSON.stringify(chosen)}\n`);
  return (await readPorts(file)) ?? chosen;
}

/** Says early and clearly that a port cannot be had. @throws {PortError} PORT_TAKEN */
export async function assertFree(host: string, port: number, what: string): Promise<void> {
  if (await isFree(host, port)) return;
  throw new PortError(
    'PORT_TAKEN',
    `Port ${port} on ${host} (${what}) is taken by another program: end that program first${
      what === 'API' ? ', or choose another port with PORT=…' : ''
    }.`,
  );
}

async function readPorts(file: string): Promise<KeptPorts | undefined> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return keptSchema.parse(JSON.parse(content));
  } catch (cause) {
    throw new PortError(
      'PORTS_DAMAGED',
      `${file} is damaged. Restore it; devices know this cloud by its ports. Without a device, remove the file.`,
      { cause },
    );
  }
}

async function freePort(taken: readonly number[]): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (!taken.includes(port) && (await isFree('0.0.0.0', port))) return port;
  }
  throw new PortError('NO_FREE_PORT', `Found no free port between ${LOWEST} and ${HIGHEST}.`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}
