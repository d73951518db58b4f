import { startError } from '../start-errors.ts';
import { aresHome } from './home.ts';
import { explain } from './output.ts';
import { buildProgram } from './program.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
// A reader that closes early (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  await buildProgram({ home: aresHome(), signal: stop.signal }).parseAsync();
} catch (error) {
  if (!stop.signal.aborted) {
    console.error(startError(error) ?? explain(error));
    process.exitCode = 1;
  }
}
