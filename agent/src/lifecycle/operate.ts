import type { StoredCredentials } from '../identity/credentials-store.ts';
import type { DeviceIdentity, Trust } from '../identity/types.ts';
import type { OperatingSession } from '../operate/types.ts';
import type { Clock } from '../ports/clock.ts';
import { CloudApiError } from '../ports/cloud-api.ts';
import type { Logger } from '../ports/logger.ts';
import type { Pulse } from '../ports/pulse.ts';
import type { ResetMarker } from '../reset/reset.ts';
import type { DeviceStore } from '../store/types.ts';
import type { CredentialsKeeper } from './credentials-keeper.ts';
import type { LifecycleRecord } from './lifecycle-store.ts';
import { isRenewalDue, renewalPauseMs, renewalTime, shortestPauseMs } from './renewal.ts';
import type { Happening } from './runner.ts';
import { type SessionHolder, sessionCredentials } from './session-holder.ts';
import { verifyResetOrder } from './signed-answers.ts';
import { happeningOf, type StandingClient } from './standing.ts';

export interface OperatePorts {
  readonly identity: DeviceIdentity;
  readonly trust: Trust;
  readonly keeper: CredentialsKeeper;
  readonly holder: SessionHolder;
  readonly standing: StandingClient;
  readonly marker: ResetMarker;
  readonly store?: Pick<DeviceStore, 'keepReserve'> | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pulse?: Pulse | undefined;
  random(): number;
  cloud(): LifecycleRecord['cloud'];
}

const LOOP = 'operation';
/** Longer than all the questions to the cloud of one round together, ms. */
const ROUND_MS = 10 * 60_000;
const LOOK_EVERY_MS = 15_000;
const LOOK_AT_MOST_EVERY_MS = 250;
/** Pause between two questions for the standing, ms: doubles while the device stays refused. */
const STANDING_MIN_MS = 15_000;
const STANDING_MAX_MS = 600_000;

/**
 * A device at work, until the signal or something signed ends it. One loop does all that asks the cloud for
 * something, so no two requests for credentials ever run at once.
 */
export async function operate(ports: OperatePorts, signal: AbortSignal): Promise<Happening | undefined> {
  const state = ports.keeper.inspect();
  const apiUrl = state.kind === 'usable' ? state.stored.apiUrl : ports.cloud()?.apiUrl;
  if (apiUrl === undefined) {
    return {
      event: 'credentials-lost',
      why: 'The credentials are damaged and the address of the cloud is lost; the owner must recover the device.',
    };
  }
  const loop = new MaintenanceLoop(ports, apiUrl);
  try {
    return await loop.run(state.kind === 'usable' ? state.stored : undefined, signal);
  } finally {
    loop.close();
    await ports.holder.stop(
      signal.aborted ? 'the agent stops or changes its state' : 'the state has changed',
    );
  }
}

class MaintenanceLoop {
  readonly #ports: OperatePorts;
  readonly #apiUrl: string;
  #wake: () => void = () => {};
  #awake = false;
  #session: OperatingSession | undefined;
  #unsubscribe: (() => void)[] = [];
  #stored: StoredCredentials | undefined;
  #storedAt: number | undefined;
  #renewAt = 0;
  #failures = 0;
  #nextRenewal = 0;
  #refused: string | undefined;
  #standingPause = STANDING_MIN_MS;
  #nextStanding = 0;
  #happening: Happening | undefined;
  /** Aborted when there is a happening: nothing that waits for the cloud may hold it up. */
  readonly #over = new AbortController();

  constructor(ports: OperatePorts, apiUrl: string) {
    this.#ports = ports;
    this.#apiUrl = apiUrl;
  }

  async run(stored: StoredCredentials | undefined, outer: AbortSignal): Promise<Happening | undefined> {
    const { keeper, clock, logger } = this.#ports;
    const signal = AbortSignal.any([outer, this.#over.signal]);
    if (stored === undefined) logger.warn('the stored credentials cannot be used; asking for new ones');
    else this.#use(stored, undefined);
    const resumed = await keeper.resumeRecovery(signal).catch(() => undefined);
    if (resumed !== undefined) this.#use(resumed, clock.monotonicMs());
    while (!signal.aborted) {
      this.#ports.pulse?.beat(LOOP, ROUND_MS);
      this.#ports.store?.keepReserve();
      await this.#renewIfDue(signal);
      if (!signal.aborted) await this.#askIfRefused(signal);
      if (!signal.aborted) await this.#sleep(signal);
    }
    return outer.aborted ? undefined : this.#happening;
  }

  #end(happening: Happening): void {
    this.#happening ??= happening;
    this.#over.abort();
  }

  close(): void {
    this.#ports.pulse?.end(LOOP);
    for (const off of this.#unsubscribe) off();
  }

  #use(stored: StoredCredentials, issuedMonotonicMs: number | undefined): void {
    const { holder, random } = this.#ports;
    const former = this.#stored;
    this.#stored = stored;
    this.#storedAt = issuedMonotonicMs;
    this.#renewAt = renewalTime(stored.answer, random());
    this.#failures = 0;
    // What was refused was the former one.
    this.#refused = undefined;
    if (issuedMonotonicMs !== undefined)
      this.#nextRenewal = issuedMonotonicMs + shortestPauseMs(stored.answer);
    if (this.#session === undefined) {
      this.#session = holder.ensure(stored);
      this.#listen(this.#session);
    } else if (former?.answer.assignment === stored.answer.assignment) {
      this.#session.replaceCredentials(sessionCredentials(stored));
    } else {
      const cloud = { apiUrl: stored.apiUrl, assignment: stored.answer.assignment };
      this.#end({ event: 'recovered', why: 'The device works for a new assignment.', cloud });
    }
  }

  #listen(session: OperatingSession): void {
    this.#unsubscribe = [
      session.on('reset-order', ({ token }) => void this.#takeResetOrder(token)),
      session.on('refused', ({ why, detail }) => {
        this.#refused = `${why}: ${detail}`;
        this.#wakeUp();
      }),
      session.on('connection', ({ state }) => {
        if (state !== 'connected') return;
        this.#refused = undefined;
        this.#standingPause = STANDING_MIN_MS;
      }),
    ];
  }

  async #takeResetOrder(token: string): Promise<void> {
    const { identity, trust, marker, logger } = this.#ports;
    const cloud = this.#cloud();
    try {
      const { assignment } = cloud;
      const order = await verifyResetOrder(token, { trust, deviceUuid: identity.deviceUuid, assignment });
      marker.save({
        cause: 'order',
        orderId: order.jti,
        cloud: { apiUrl: cloud.apiUrl, assignment: order.asg },
      });
      this.#end({ event: 'reset-requested', why: 'The owner gave the device away.' });
    } catch (cause) {
      logger.warn('a reset order is refused', { cause });
    }
  }

  async #renewIfDue(signal: AbortSignal): Promise<void> {
    const { keeper, clock, logger, random } = this.#ports;
    const stored = this.#stored;
    const due = stored === undefined || this.#isDue(stored);
    if (!due || clock.monotonicMs() < this.#nextRenewal) return;
    try {
      const fresh =
        stored === undefined
          ? await keeper.reissue(this.#apiUrl, signal)
          : await keeper.renew(stored, signal);
      this.#use(fresh, clock.monotonicMs());
    } catch (cause) {
      if (signal.aborted) return;
      this.#failures += 1;
      const error = cause instanceof CloudApiError ? cause : undefined;
      this.#nextRenewal =
        clock.monotonicMs() + renewalPauseMs(this.#failures, error?.retryAfterSeconds, random());
      logger.warn('no new certificate', { code: error?.code, problem: error?.problem, cause });
      // What an error says is no signed word: the standing is.
      if (error?.code === 'REFUSED') this.#refused = `${error.problem ?? 'REFUSED'}`;
    }
  }

  #isDue({ answer }: StoredCredentials): boolean {
    const { clock } = this.#ports;
    const sinceIssuedMs = this.#storedAt === undefined ? undefined : clock.monotonicMs() - this.#storedAt;
    return isRenewalDue({
      renewAt: this.#renewAt,
      now: clock.now(),
      issuedAt: answer.cloudTime,
      sinceIssuedMs,
    });
  }

  async #askIfRefused(signal: AbortSignal): Promise<void> {
    const { standing, marker, clock, logger, keeper } = this.#ports;
    if (this.#refused === undefined || clock.monotonicMs() < this.#nextStanding) return;
    logger.info('asking for the standing', { refused: this.#refused });
    this.#nextStanding = clock.monotonicMs() + this.#standingPause;
    this.#standingPause = Math.min(this.#standingPause * 2, STANDING_MAX_MS);
    try {
      const answer = await standing.ask(this.#cloud(), signal);
      if (answer.standing === 'RELEASED') marker.save(answer.origin);
      if (answer.standing === 'ACTIVE') {
        this.#refused = undefined;
      } else if (answer.standing === 'RENEW') {
        this.#refused = undefined;
        this.#use(await keeper.reissue(this.#apiUrl, signal), clock.monotonicMs());
      } else {
        this.#end(happeningOf(answer));
      }
    } catch (cause) {
      if (!signal.aborted) logger.warn('the standing is not known', { cause });
    }
  }

  #cloud(): { apiUrl: string; assignment: number | undefined } {
    const known = this.#stored?.answer.assignment ?? this.#ports.cloud()?.assignment;
    return { apiUrl: this.#apiUrl, assignment: known };
  }

  /** Until the next renewal, or the next look at everything else. */
  #pauseMs(): number {
    const { clock } = this.#ports;
    const untilDue = Math.max(this.#renewAt - clock.now(), this.#nextRenewal - clock.monotonicMs());
    return Math.min(Math.max(untilDue, LOOK_AT_MOST_EVERY_MS), LOOK_EVERY_MS);
  }

  #wakeUp(): void {
    this.#awake = true;
    this.#wake();
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    if (!this.#awake && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const cancel = this.#ports.clock.after(this.#pauseMs(), resolve);
      signal.addEventListener('abort', resolve as () => void, { once: true });
      await promise;
      signal.removeEventListener('abort', resolve as () => void);
      cancel();
    }
    this.#awake = false;
  }
}
