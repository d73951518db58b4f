import { createInterface } from 'node:readline';
import { CliError } from '../cli-error.ts';

/**
 * The password of a Wi-Fi: from ARES_WIFI_PASSWORD, else asked for, else the first line of standard input. Never an
 * argument, which every user of the computer can read.
 */
export async function readWifiPassword(
  ssid: string,
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly input?: NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const { env = process.env, input = process.stdin, signal } = options;
  if (env['ARES_WIFI_PASSWORD'] !== undefined) return env['ARES_WIFI_PASSWORD'];
  const terminal = input.isTTY === true;
  if (terminal) process.stderr.write(`Password of ${ssid}: `);
  const lines = createInterface({ input, terminal, historySize: 0 });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    lines.once('line', resolve);
    lines.once('close', () => reject(new CliError('There was no password. For an open network say --open.')));
    signal.addEventListener('abort', () => lines.close(), { once: true });
    return await promise;
  } finally {
    lines.close();
    if (terminal) process.stderr.write('\n');
  }
}
