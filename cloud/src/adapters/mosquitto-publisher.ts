import { setTimeout as wait } from 'node:timers/promises';
import type { CertificateAuthority, RevokedCertificate } from '../ports/certificate-authority.ts';
import type { Clock } from '../ports/clock.ts';
import type { BrokerTls } from '../ports/device-broker.ts';
import type { Logger } from '../ports/logger.ts';
import type { SecurityReporter } from '../ports/security-reporter.ts';
import { type CanaryFate, type CanaryTarget, sendCanary } from './mosquitto-canary.ts';
import { checkBrokerTls } from './mosquitto-check.ts';
import { type ReloadedFiles, readPid, readReloaded, writeReloaded } from './mosquitto-files.ts';

/** A certificate by which nobody comes, to see what the broker does with it. */
export interface Canary {
  readonly commonName: string;
  readonly serial: string;
  readonly keyPem: string;
  readonly chainPem: string;
}

/** New files did not do what they must; the previous ones are back, where some were seen to. */
export class PublicationFailed extends Error {
  override readonly name = 'PublicationFailed';
  readonly code = 'PUBLICATION_FAILED';
}

export interface MosquittoPublisher {
  /**
   * What the next list has to name beside the revoked: the canary that the list before it did not name. So a refusal
   * shows that the new list is in force, not only some list.
   */
  turnCanaries(): Promise<readonly RevokedCertificate[]>;
  /**
   * Checks the files, replaces them, sends one SIGHUP, and asks the broker whether it refuses the revoked canary and
   * accepts the good one. Calls wait for each other. A broker that is away reads the files when it starts.
   * @throws {BrokerFilesError} nothing was replaced
   * @throws {PublicationFailed} the previous files are back
   */
  publish(files: ReloadedFiles, tls: BrokerTls): Promise<void>;
  /** Asks a broker that came back, which could not be asked before. @throws {PublicationFailed} */
  proveAgain(): Promise<void>;
}

const CANARY_MS = 2 * 86_400_000;
const LETS_IN = 'it lets revoked certificates in';

type Pair = { readonly revoked: Canary; readonly good: Canary };

export function createMosquittoPublisher(options: {
  readonly folder: string;
  readonly target: CanaryTarget;
  readonly issueCanary: () => Promise<Canary>;
  readonly clock: Clock;
  readonly security: SecurityReporter;
  readonly log: Logger;
  /** How long a broker may take to do as its files say. Default 3 s. */
  readonly provedWithinMs?: number;
}): MosquittoPublisher {
  const { folder, target, issueCanary, clock, security, log, provedWithinMs = 3_000 } = options;
  let pair: Pair | undefined;
  /** Whose list lies in the files: canaries for the next one may have been drawn already. */
  let written: Pair | undefined;
  let proved: { readonly files: ReloadedFiles; readonly pair: Pair } | undefined;
  let unproved = false;
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
  const reload = async (): Promise<boolean> => {
    const pid = await readPid(folder);
    if (pid === undefined) return false;
    process.kill(pid, 'SIGHUP');
    return true;
  };

  /** `away` when the broker could not be asked; otherwise whether it does as the files say. */
  const prove = async ({ revoked, good }: Pair): Promise<'proved' | 'away' | string> => {
    const end = performance.now() + provedWithinMs;
    for (;;) {
      const fates: CanaryFate[] = await Promise.all([sendCanary(target, revoked), sendCanary(target, good)]);
      if (fates[0] === 'refused' && fates[1] === 'accepted') return 'proved';
      if (performance.now() > end) {
        if (fates.includes('away')) return 'away';
        return fates[0] === 'accepted' ? LETS_IN : 'it refuses good certificates';
      }
      await wait(30);
    }
  };

  const alarm = (reason: string) => {
    log.error({ reason }, 'ALARM: the broker does not do as its revocation list says');
    security.report({ code: 'BROKER_SUSPECTED', detail: { reason } });
  };

  /** It must not go on so: its supervisor starts it again, and it starts only with a list that it can read. */
  const endBroker = async (reason: string) => {
    alarm(`${reason}; it is ended`);
    const pid = await readPid(folder);
    if (pid !== undefined) process.kill(pid, 'SIGTERM');
  };

  const fallBack = async (reason: string): Promise<never> => {
    alarm(reason);
    const failed = `The broker was given new files and ${reason}.`;
    if (proved === undefined) {
      // Nothing is known to be better than the new files, which are right.
      if (reason === LETS_IN) await endBroker(reason);
      throw new PublicationFailed(failed);
    }
    await writeReloaded(folder, proved.files);
    written = proved.pair;
    await reload();
    const before = await prove(proved.pair);
    if (before !== 'proved' && before !== 'away') await endBroker(`${before}, also with the previous files`);
    throw new PublicationFailed(`${failed} The previous ones are back.`);
  };

  const confirm = async (files: ReloadedFiles, current: Pair) => {
    const outcome = await prove(current);
    unproved = outcome === 'away';
    if (outcome === 'proved') proved = { files, pair: current };
    else if (unproved) log.warn({}, 'the broker is away: it reads its new files when it starts');
    else await fallBack(outcome);
  };

  return {
    async turnCanaries() {
      const revoked = pair?.good ?? (await issueCanary());
      pair = { revoked, good: await issueCanary() };
      return [{ serial: revoked.serial, at: new Date(clock.now()), reason: 'superseded' }];
    },
    publish: (files, tls) =>
      inTurn(async () => {
        const current = pair;
        if (current === undefined) throw new Error('Canaries are drawn before a list is made.');
        await checkBrokerTls(tls, { now: clock.now(), mustName: [current.revoked.serial] });
        await writeReloaded(folder, files);
        written = current;
        if (await reload()) await confirm(files, current);
        else unproved = true;
      }),
    proveAgain: () =>
      inTurn(async () => {
        if (!unproved || written === undefined) return;
        // It may have read its files before they were replaced, when it had not written yet whom to tell.
        await reload();
        await confirm(await readReloaded(folder), written);
      }),
  };
}

/** Signs certificates for canaries, whose names have no rights anywhere. */
export function canaryIssuer(
  authority: Pick<CertificateAuthority, 'signService'>,
  randomHex: () => string,
): () => Promise<Canary> {
  return async () => {
    const commonName = `ares-canary-${randomHex()}`;
    const { serial, chainPem, keyPem } = await authority.signService({ commonName, validityMs: CANARY_MS });
    return { commonName, serial, keyPem, chainPem };
  };
}
