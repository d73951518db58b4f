import { type Clock, delay } from '../../ports/clock.ts';
import { WifiError } from '../../ports/wifi.ts';
import type { ProgramResult, RunProgram } from '../run-program.ts';
import { passwordFile } from './profiles.ts';

export interface Activation {
  readonly uuid: string;
  readonly interfaceName: string;
  readonly ssid: string;
  readonly passphrase: string | undefined;
  readonly signal: AbortSignal;
  /** Whether the access point has let the device in; its address comes later. */
  joined(signal: AbortSignal): Promise<boolean>;
}

/** Longest attempt to join, s; a wrong password shows after five. */
const JOIN_SECONDS = 60;
const LOOK_EVERY_MS = 500;

/**
 * Joins the network of a profile by `nmcli`, which answers NetworkManager's question for the passphrase, and returns
 * when the access point has let the device in. @throws {WifiError}
 */
export async function activate(
  ports: { readonly run: RunProgram; readonly clock: Clock },
  activation: Activation,
): Promise<void> {
  const { uuid, interfaceName, passphrase, signal } = activation;
  // What waits below hears of an end that comes, not of one that has come.
  signal.throwIfAborted();
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const answer =
    passphrase === undefined
      ? { args: [], input: {} }
      : { args: ['passwd-file', '/dev/stdin'], input: { secretInput: passwordFile(passphrase) } };
  const refused = watchPassphrase(ports.run, activation, until);
  const ended = ports
    .run(
      'nmcli',
      [
        '--wait',
        String(JOIN_SECONDS),
        'connection',
        'up',
        'uuid',
        uuid,
        'ifname',
        interfaceName,
        ...answer.args,
      ],
      { timeoutMs: (JOIN_SECONDS + 10) * 1_000, signal: until, ...answer.input },
    )
    .then((result) => {
      if (result.code !== 0) throw joinError(result, activation.ssid);
    });
  const seen = (async () => {
    while (!(await activation.joined(until))) await delay(ports.clock, LOOK_EVERY_MS, until);
  })();
  try {
    await Promise.race([ended, seen, refused]);
  } finally {
    // NetworkManager goes on by itself; neither is needed any more.
    over.abort();
    await Promise.allSettled([ended, seen, refused]);
  }
}

/**
 * Rejects when NetworkManager asks for the passphrase a second time: nmcli would give it the same one again and again.
 * Never resolves.
 */
async function watchPassphrase(
  run: RunProgram,
  { interfaceName, ssid }: Activation,
  signal: AbortSignal,
): Promise<never> {
  let asked = 0;
  const { promise, reject } = Promise.withResolvers<never>();
  const onOutput = (text: string) => {
    for (const line of text.split('\n')) {
      if (line.includes(': using connection ')) asked = 0;
      if (line.includes('(need authentication)')) asked++;
    }
    if (asked > 1) reject(joinRefused(ssid));
  };
  run('nmcli', ['device', 'monitor', interfaceName], {
    timeoutMs: (JOIN_SECONDS + 10) * 1_000,
    signal,
    onOutput,
  }).catch(() => undefined);
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  return promise;
}

function joinRefused(ssid: string): WifiError {
  return new WifiError('WIFI_WRONG_PASSWORD', `The network ${ssid} refused the password.`);
}

/** What nmcli's exit code and words (in the C locale) mean. They never hold the passphrase. */
export function joinError({ code, stdout, stderr }: ProgramResult, ssid: string): WifiError {
  const text = `${stderr}\n${stdout}`;
  const said = /^Error: (.*)$/m.exec(text)?.[1] ?? `nmcli ended with ${code}`;
  if (code === 8 || code === 127) return new WifiError('WIFI_FAILED', ABSENT);
  if (/not authorized|insufficient privileges|access denied/i.test(text)) {
    return new WifiError('WIFI_FAILED', DENIED);
  }
  if (/Secrets were required|psk: property is (?:invalid|missing)/i.test(text)) {
    return joinRefused(ssid);
  }
  if (/network could not be found|SSID was not found/i.test(text)) {
    return new WifiError('WIFI_NOT_FOUND', `The network ${ssid} is not in reach.`);
  }
  if (/IP configuration|DHCP/i.test(text)) {
    return new WifiError('ADDRESS_TIMEOUT', `The network ${ssid} gave no address.`);
  }
  return new WifiError('WIFI_FAILED', `The network ${ssid} could not be joined: ${said}`);
}

export const ABSENT =
  'NetworkManager does not run on this device, so Ares cannot join networks. Install and start it (sudo apt install network-manager), or connect the device by other means and set it up with the network it has.';
export const DENIED =
  "The agent may not change networks: the package's polkit rule (60-ares-agent.rules) or polkitd is missing.";
