import { createInterface, type Interface } from 'node:readline';
import { CliError } from '../cli-error.ts';

/**
 * What must not be an argument, which every user of the computer can read: each comes from its variable, else is asked
 * for, else is the next line of standard input. To be closed.
 */
export interface SecretInput {
  /** Of an account. */
  password(email: string): Promise<string>;
  wifiPassword(ssid: string): Promise<string>;
  /** The code of the label, or the whole content of its QR code. */
  setupCode(): Promise<string>;
  /** A token that lets its holder act on a device. */
  offlineToken(): Promise<string>;
  close(): void;
}

export function openSecretInput(options: {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly signal: AbortSignal;
}): SecretInput {
  const { env = process.env, input = process.stdin, signal } = options;
  const terminal = input.isTTY === true;
  let lines: Interface | undefined;
  // One for all questions: it reads ahead.
  let answers: AsyncIterator<string> | undefined;
  const close = () => lines?.close();
  const ask = async (question: string, missing: string): Promise<string> => {
    if (terminal) process.stderr.write(`${question}: `);
    if (answers === undefined) {
      lines = createInterface({ input, terminal, historySize: 0 });
      answers = lines[Symbol.asyncIterator]();
      signal.addEventListener('abort', close, { once: true });
    }
    const { value, done } = await answers.next();
    if (terminal) process.stderr.write('\n');
    if (done === true) throw new CliError(missing);
    return value;
  };
  return {
    password: async (email) =>
      env['ARES_PASSWORD'] ??
      (await ask(`Password of ${email}`, 'There was no password: set ARES_PASSWORD, or type it.')),
    wifiPassword: async (ssid) =>
      env['ARES_WIFI_PASSWORD'] ??
      (await ask(`Password of ${ssid}`, 'There was no password. For an open network say --open.')),
    setupCode: async () =>
      (
        env['ARES_SETUP_CODE'] ??
        (await ask(
          'Setup code of the device',
          'There was no setup code; it stands on the label of the device, and "ares-agent label" shows it.',
        ))
      ).trim(),
    offlineToken: async () =>
      (
        env['ARES_OFFLINE_TOKEN'] ?? (await ask('Offline token', 'There was no token on standard input.'))
      ).trim(),
    close,
  };
}
