import { Buffer } from 'node:buffer';
import { composeCloud } from './compose.ts';
import { readConfig } from './config.ts';
import { oneLine } from './start-errors.ts';

// mqtt-packet keeps a slice of the pool for every length of packet it has seen: with a pool, each pins 64 KiB.
Buffer.poolSize = 0;

const DRAIN_WITHIN_MS = 5_000;

/** `node cloud/src/main.ts all`, or one process for each of `api`, `ingest`, `broker`, `jobs`. */
async function main(role: string): Promise<number> {
  const stop = new Promise<void>((resolve) => {
    // Ctrl-C arrives twice under npm: what comes after the first changes nothing.
    process.on('SIGINT', () => resolve());
    process.on('SIGTERM', () => resolve());
  });
  const starting = composeCloud(readConfig(role, process.env));
  const cloud = await Promise.race([starting, stop]);
  if (cloud === undefined) {
    // Told to end while it still starts, perhaps waiting for something that never comes.
    setTimeout(() => process.exit(0), DRAIN_WITHIN_MS).unref();
    await (await starting).close();
    return 0;
  }
  process.stdout.write(`${JSON.stringify({ ready: cloud.publicUrl, devices: cloud.deviceApiUrl, role })}\n`);
  const failure = await Promise.race([stop, cloud.failed()]);
  if (failure !== undefined) process.stderr.write(`${failure}\n`);
  setTimeout(() => process.exit(1), DRAIN_WITHIN_MS).unref();
  await cloud.close();
  return failure === undefined ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv[2] ?? 'all');
} catch (error) {
  process.stderr.write(`${oneLine(error)}\n`);
  process.exitCode = 1;
}
