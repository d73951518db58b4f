import { spawn } from 'node:child_process';

/** A program of the host failed. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code = 'LAB_COMMAND_FAILED';
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/**
 * Runs a program of the host to its end and gives what it wrote to its standard output.
 *
 * @throws {CommandError} LAB_COMMAND_FAILED with the end of its error output
 */
export async function command(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: 'C', ...options.env },
    stdio: 'pipe',
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = `${errors}${text}`.slice(-4_000);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const status = await new Promise<number | string>((resolve, reject) => {
    child.once('error', (error) => reject(new CommandError(`${program}: ${error.message}`)));
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'ended'));
  });
  if (status !== 0) {
    throw new CommandError(
      `${program} ${args.slice(0, 6).join(' ')} ended with ${status}: ${errors.trim() || output.slice(-2_000)}`,
    );
  }
  return output;
}
