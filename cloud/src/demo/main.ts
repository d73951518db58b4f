import { Buffer } from 'node:buffer';
import { CliError } from '../cli/cli-error.ts';
import { aresHome } from '../cli/home.ts';
import { explain } from '../cli/output.ts';
import { startError } from '../start-errors.ts';
import { createProgress } from './progress.ts';
import { type Demo, startDemo } from './run.ts';

// mqtt-packet keeps a slice of the pool per packet length: 64 KiB each for a few bytes.
Buffer.poolSize = 0;

const EXIT_LIMIT_MS = 4_500;
const stopping = new AbortController();
// One Ctrl-C arrives twice under npm: from the terminal and again from npm. Only the first counts.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
const stopped = new Promise<undefined>((resolve) =>
  stopping.signal.addEventListener('abort', () => resolve(undefined)),
);

const port = Number(process.env['PORT'] ?? 8080);
const progress = createProgress(process.stdout, Date.now);
let demo: Demo | undefined;
try {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new CliError(`PORT=${process.env['PORT']} is no port. Use a number from 1 to 65535.`);
  }
  demo = await startDemo({ home: aresHome(), port, progress, signal: stopping.signal });
  const failure = await Promise.race([stopped, demo.failed()]);
  if (failure !== undefined) throw new CliError(failure);
} catch (error) {
  if (!stopping.signal.aborted) {
    console.error(startError(error) ?? explain(error));
    process.exitCode = 1;
  }
}
const limit = setTimeout(() => process.exit(process.exitCode ?? 1), EXIT_LIMIT_MS);
await demo?.stop();
clearTimeout(limit);
if (stopping.signal.aborted) progress.line('stopped');
process.exit();
