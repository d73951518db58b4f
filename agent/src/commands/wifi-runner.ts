import type { CommandOutcome, CommandProblem, CommandResult, WifiChangeClaims } from '@ares/protocol';
import type { StepErrorCode } from '@ares/protocol/ble';
import type { TrustedClock } from '../clock/trusted-clock.ts';
import { sentenceOf } from '../components/sentence.ts';
import type { Logger } from '../ports/logger.ts';
import type { ChangeNetwork, NetworkChange } from '../ports/network-changer.ts';
import type { WifiCredentials } from '../ports/wifi.ts';
import type { CommandJournal } from '../store/types.ts';
import { openWifi } from './open-wifi.ts';

/** In the journal the device itself has this number; components begin at 1. */
const DEVICE = 0;
const FUTURE_TOLERANCE_MS = 300_000;

interface Outcome {
  readonly outcome: CommandOutcome;
  readonly code?: CommandProblem;
  readonly detail?: string;
}

/**
 * Obeys verified orders to change the Wi-Fi, each at most once and never late, as commands are: commit the id → try
 * the network → keep it or go back → store the result → report, over whichever network it then is.
 */
export class WifiRunner {
  readonly #ports: Ports;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Settles when the order has its result. */
  run(claims: WifiChangeClaims): Promise<void> {
    const running = this.#run(claims);
    this.#running = Promise.allSettled([this.#running, running]).then(() => undefined);
    return running;
  }

  /** Calls off a change under way and waits until the former network is back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(claims: WifiChangeClaims): Promise<void> {
    const { journal, logger, report, changeNetwork, proveConnection, connectAgain } = this.#ports;
    const { jti: commandId, asg: assignment, seq } = claims;
    const known = journal.find(commandId);
    if (known !== undefined) {
      // The answer was lost, or it is a replay: the same answer again, never the act.
      if (known.result !== undefined) report(known.result);
      return;
    }
    const judged = this.#judge(claims);
    const refused = 'outcome' in judged ? this.#result(commandId, judged) : undefined;
    const order = { commandId, assignment, componentId: DEVICE, seq };
    if (!journal.receive(refused === undefined ? order : { ...order, refused })) return;
    if ('outcome' in judged) {
      if (refused !== undefined) report(refused);
      return;
    }
    journal.acting(commandId);
    logger.info('changing the Wi-Fi by order', { commandId });
    const change = await changeNetwork(judged, {
      proven: proveConnection,
      signal: this.#stopping.signal,
    });
    logger.info('the change of Wi-Fi has ended', { commandId, outcome: change.outcome });
    const result = this.#result(commandId, outcomeOf(change, judged));
    try {
      journal.finish(result);
    } catch (cause) {
      logger.error('result cannot be stored', { commandId, cause });
    }
    // What there was of a connection went with the network that was tried.
    if (change.outcome === 'undone' && !this.#stopping.signal.aborted) connectAgain();
    report(result);
  }

  /** Everything that can be said before anything is tried. */
  #judge(claims: WifiChangeClaims): Outcome | WifiCredentials {
    const { asg, seq, iat, exp, credentials } = claims;
    const { journal, time, deviceUuid } = this.#ports;
    if (journal.damaged !== undefined) return rejected('COMPONENT_ERROR', DAMAGED);
    if (seq <= journal.highestSeq(asg, DEVICE))
      return { outcome: 'STALE', code: 'STALE', detail: 'A later change of the Wi-Fi was seen before.' };
    const now = time.trustedNow();
    if (now === null) return rejected('CLOCK_UNTRUSTED', 'The clock of the device is not set yet.');
    if (now >= exp * 1_000) return { outcome: 'EXPIRED', code: 'EXPIRED', detail: 'It came too late.' };
    if (iat * 1_000 > now + FUTURE_TOLERANCE_MS)
      return rejected('CLOCK_UNTRUSTED', 'The command was issued in the future of this device.');
    const wifi = openWifi(credentials, { deviceUuid, ...this.#ports.secret() });
    return (
      wifi ?? rejected('BAD_ARGUMENTS', 'The credentials are not sealed for this device; send them again.')
    );
  }

  #result(commandId: string, outcome: Outcome): CommandResult {
    const at = this.#ports.time.trustedNow();
    return { commandId, ...outcome, ...(at !== null && { at }) };
  }
}

interface Ports {
  readonly journal: CommandJournal;
  readonly time: TrustedClock;
  readonly logger: Logger;
  readonly deviceUuid: string;
  /** The secret that the cloud seals with now. */
  secret(): { readonly kid: string; readonly sharedSecret: string };
  readonly changeNetwork: ChangeNetwork;
  /** Resolves when the session with the broker has come back, on a connection that was made after the call. */
  proveConnection(signal: AbortSignal): Promise<void>;
  connectAgain(): void;
  /** The result is stored: send it. */
  report(result: CommandResult): void;
}

const DAMAGED =
  'The record of former commands was damaged, so this device cannot tell an old command from a new one; it takes none until it is claimed again.';

function rejected(code: CommandProblem, detail: string): Outcome {
  return { outcome: 'REJECTED', code, detail };
}

function outcomeOf(change: NetworkChange, { ssid }: WifiCredentials): Outcome {
  if (change.outcome === 'kept') return { outcome: 'COMPLETED' };
  if (change.outcome === 'busy')
    return rejected('BUSY', 'Another change of the network is under way; try again afterwards.');
  const code = problemOf(change.code);
  // What goes to the cloud names no network: it keeps nothing of the credentials.
  const told = SENTENCES[code] ?? (change.detail.includes(ssid) ? GENERAL : sentenceOf(change.detail));
  return { outcome: 'FAILED', code, detail: told };
}

const GENERAL = 'The device could not join the network; it is where it was.';
const SENTENCES: { readonly [C in CommandProblem]?: string } = {
  WIFI_NOT_FOUND: 'The network is not in reach of the device; it is where it was.',
  WIFI_WRONG_PASSWORD: 'The network refused the password; the device is where it was.',
  ADDRESS_TIMEOUT: 'The network gave no address; the device is where it was.',
  CLOUD_UNREACHABLE: 'The cloud does not answer over that network; the device is where it was.',
};

function problemOf(code: StepErrorCode): CommandProblem {
  switch (code) {
    case 'WIFI_NOT_FOUND':
    case 'WIFI_WRONG_PASSWORD':
    case 'ADDRESS_TIMEOUT':
    case 'CLOCK_UNTRUSTED':
    case 'CLOUD_UNREACHABLE':
      return code;
    case 'DNS_FAILED':
    case 'TLS_FAILED':
    case 'TIMED_OUT':
      return 'CLOUD_UNREACHABLE';
    default:
      return 'WIFI_FAILED';
  }
}
