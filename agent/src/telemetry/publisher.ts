import type { Acknowledgement, Mac, ReadingProblem } from '@ares/protocol';
import { openSignedMessage, parseAcknowledgement } from '@ares/protocol';
import type { TrustedClock } from '../clock/trusted-clock.ts';
import type { OperatingConfig } from '../operate/config.ts';
import type { Random } from '../operate/types.ts';
import type { LinkMessage } from '../ports/broker-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { NewReading, Outbox, StoredReading, Tick } from '../store/types.ts';
import { nextBacklog } from './backlog.ts';
import { HeldReadings } from './held-readings.ts';
import { LiveReadings } from './live-readings.ts';
import { MessageMaker } from './message-maker.ts';

type Config = Pick<
  OperatingConfig,
  'batchAfterMs' | 'batchReadings' | 'maxUnacknowledged' | 'resendAfterMs' | 'resendMaxMs'
>;

/** A message on its way; what the cloud has not answered of it. */
interface Slot {
  readonly bootOrder: number;
  readonly bootId: string;
  readonly seqs: Set<number>;
  readonly level: number;
  readonly cancel: () => void;
}

export interface PublisherEvents {
  /** The cloud has stored readings. */
  onStored(count: number): void;
  /** Messages stayed unanswered, this many rounds in a row. */
  onUnanswered(rounds: number): void;
  /** `results` of an acknowledgement; the answer is how many were waiting for it. */
  onResults(commandIds: readonly string[]): number;
}

/** Most readings put off one by one; at it the rest of the backlog waits for them. */
const MAX_POSTPONED = 10_000;
/** However long batches wait to be sent: what a power cut may take of what was measured. */
const STORE_WITHIN_MS = 60_000;
/** A boot that the cloud does not take now is tried again after this, doubling up to the maximum, ± half. */
const BOOT_AGAIN_MS = 2_000;
/** Refusals that say nothing about a reading, but about the device or the boot: the next reading would fare no better. */
const bootProblems: readonly ReadingProblem[] = ['CLOCK', 'QUARANTINED', 'TOO_MANY_BOOTS'];

/**
 * Sends what the outbox holds and deletes exactly what the cloud says it has stored.
 *
 * Invariants: at most `maxUnacknowledged` messages are unanswered, one place of them always left for live readings;
 * a reading is in at most one of them; nothing leaves the outbox but by an acknowledgement or the quota. A message
 * without an answer is taken apart after a while and its readings are sent again with a fresh time.
 */
export class Publisher {
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #time: TrustedClock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #config: Config;
  readonly #maker: MessageMaker;
  readonly #bootId: string;
  readonly #send: (message: LinkMessage) => Promise<void>;
  readonly #events: PublisherEvents;
  readonly #live: LiveReadings;
  readonly #held = new HeldReadings();
  readonly #slots = new Set<Slot>();
  readonly #postponedBoots = new Map<number, { readonly untilMs: number; readonly times: number }>();
  readonly #postponed = new Set<() => void>();
  #postponedCount = 0;
  /** Not stored yet. */
  readonly #measured: (Tick & { readonly urgent: boolean; readonly nowMs: number })[] = [];
  #measuredCount = 0;
  #cancelStore: (() => void) | undefined;
  #putOff: ReadingProblem | undefined;
  #connected = false;
  #level = 0;
  #cancelDue: () => void = () => undefined;
  #cancelBoots: () => void = () => undefined;

  constructor(options: {
    readonly outbox: Outbox;
    readonly clock: Clock;
    readonly time: TrustedClock;
    readonly random: Random;
    readonly logger: Logger;
    readonly config: Config;
    readonly maker: MessageMaker;
    /** Of the running boot. */
    readonly bootId: string;
    readonly send: (message: LinkMessage) => Promise<void>;
    readonly events: PublisherEvents;
  }) {
    this.#outbox = options.outbox;
    this.#clock = options.clock;
    this.#time = options.time;
    this.#random = options.random;
    this.#logger = options.logger;
    this.#config = options.config;
    this.#maker = options.maker;
    this.#bootId = options.bootId;
    this.#send = options.send;
    this.#events = options.events;
    this.#live = new LiveReadings(options.config);
  }

  /**
   * Stores readings of one tick durably before they are sent, with those of other ticks in one commit: each costs a
   * card some kilobytes. So what a batch waits for may be lost by a power cut; what is urgent or the first waits for
   * nothing.
   */
  add(readings: readonly NewReading[], options: { readonly urgent: boolean }): void {
    const { batchAfterMs, batchReadings } = this.#config;
    const uptimeMs = this.#time.uptimeMs();
    const now = this.#time.trustedNow();
    const time = now === null ? { uptimeMs } : { measuredAt: now };
    const { urgent } = options;
    this.#measured.push({ readings, at: { time, uptimeMs }, urgent, nowMs: this.#clock.monotonicMs() });
    this.#measuredCount += readings.length;
    if (urgent || this.#live.isNew(readings) || this.#measuredCount >= batchReadings) {
      this.#store();
      return;
    }
    const withinMs = Math.min(batchAfterMs, STORE_WITHIN_MS);
    this.#cancelStore ??= this.#clock.after(withinMs, () => this.#storeOrLog());
  }

  #storeOrLog(): void {
    try {
      this.#store();
    } catch (cause) {
      this.#logger.error('readings cannot be stored', { cause });
      this.#pump();
    }
  }

  #store(): void {
    this.#cancelStore?.();
    this.#cancelStore = undefined;
    this.#measuredCount = 0;
    const ticks = this.#measured.splice(0);
    const stored = this.#outbox.insertTicks(ticks);
    this.#held.hold(stored);
    let begin = 0;
    // A disk that takes nothing stores none of them.
    if (stored.length > 0)
      for (const { readings, urgent, nowMs } of ticks) {
        const own = stored.slice(begin, begin + readings.length);
        begin += readings.length;
        for (const { boot, reading } of this.#live.add(own, { urgent, nowMs }))
          this.#held.release(boot.order, [reading.seq]);
      }
    this.#pump();
  }

  /** Why the cloud did not take the last readings that it answered, though not for ever. */
  get putOff(): ReadingProblem | undefined {
    return this.#putOff;
  }

  connected(): void {
    this.#connected = true;
    this.#live.restart();
    this.#storeOrLog();
  }

  disconnected(): void {
    this.#connected = false;
    this.#level = 0;
    this.#cancelDue();
    for (const slot of this.#slots) this.#dissolve(slot);
  }

  /** Sends everything that waits, whatever its pace; before a planned end. */
  flush(): void {
    this.#live.restart();
    this.#storeOrLog();
  }

  /** No timer is left. */
  stop(): void {
    this.#cancelStore?.();
    this.disconnected();
    this.#cancelBoots();
    for (const cancel of this.#postponed) cancel();
  }

  /** An acknowledgement as it came. Anything not authentic changes nothing. */
  acknowledged(message: LinkMessage, macs: readonly Mac[]): void {
    const opened = openSignedMessage(message.topic, message.payload, macs);
    const parsed = opened.ok ? parseAcknowledgement(opened.value) : undefined;
    if (parsed?.ok !== true) {
      const problem = opened.ok ? parsed?.issues : opened.problem;
      this.#logger.warn('acknowledgement refused', { problem });
      return;
    }
    this.#settle(parsed.value);
    this.#pump();
  }

  #settle(ack: Acknowledgement): void {
    const { bootId, stored, rejected, results = [], cloudTime } = ack;
    const answered = (seq: number) =>
      stored.some(([from, to]) => seq >= from && seq <= to) || rejected.some((one) => one.seq === seq);
    let awaited = this.#events.onResults(results);
    for (const slot of this.#slots) {
      if (slot.bootId !== bootId) continue;
      const seqs = [...slot.seqs].filter(answered);
      awaited += seqs.length;
      for (const seq of seqs) slot.seqs.delete(seq);
      this.#held.release(slot.bootOrder, seqs);
      if (slot.seqs.size === 0) this.#dissolve(slot);
      const later = rejected.filter(({ seq, final }) => !final && seqs.includes(seq));
      if (later.length > 0) this.#postpone(slot.bootOrder, later);
      else if (seqs.length > 0) this.#postponedBoots.delete(slot.bootOrder);
    }
    const deleted = this.#outbox.deleteStored(bootId, stored);
    const final = rejected.filter((one) => one.final);
    if (this.#outbox.bury(bootId, final, Math.floor(this.#clock.now())) > 0)
      this.#logger.warn('the cloud finally refused readings; they are dead letters', {
        refused: final.slice(0, 10),
      });
    // Only an answer to something sent by this process says what time it is now: to a reading, a result or the birth.
    if (awaited > 0 || bootId === this.#bootId)
      this.#time.observeCloudTime(cloudTime, { awaited: awaited > 0 });
    if (awaited > 0) this.#level = 0;
    this.#putOff = rejected.find((one) => !one.final)?.code;
    if (deleted > 0) this.#events.onStored(deleted);
  }

  #pump(): void {
    if (!this.#connected) return;
    const { maxUnacknowledged } = this.#config;
    for (
      let type = this.#due();
      type !== undefined && this.#slots.size < maxUnacknowledged;
      type = this.#due()
    ) {
      const taken = this.#live.take(type);
      this.#held.release(
        taken[0]!.boot.order,
        taken.map(({ reading }) => reading.seq),
      );
      if (!this.#isPostponed(taken[0]!.boot.order)) this.#sendBatch(taken);
    }
    while (this.#slots.size < maxUnacknowledged - 1 && this.#postponedCount < MAX_POSTPONED) {
      const batch = nextBacklog({
        outbox: this.#outbox,
        held: this.#held,
        postponed: (order) => this.#isPostponed(order),
      });
      if (batch.length === 0) break;
      this.#sendBatch(batch);
    }
    this.#cancelDue();
    const dueInMs = this.#live.dueInMs(this.#clock.monotonicMs());
    if (dueInMs !== undefined && dueInMs > 0)
      this.#cancelDue = this.#clock.after(dueInMs, () => this.#pump());
  }

  #due(): string | undefined {
    return this.#live.due(this.#clock.monotonicMs());
  }

  /** Sends as many as fit; the rest of them stays with the backlog. */
  #sendBatch(batch: readonly StoredReading[]): void {
    const readings = batch.map(({ reading }) => reading);
    const sent = batch.slice(0, MessageMaker.fitting(readings));
    const { boot, componentType } = sent[0]!;
    this.#held.hold(sent);
    const level = this.#level;
    const slot: Slot = {
      bootOrder: boot.order,
      bootId: boot.bootId,
      seqs: new Set(sent.map(({ reading }) => reading.seq)),
      level,
      cancel: this.#clock.after(this.#answerWithinMs(level), () => this.#unanswered(slot)),
    };
    this.#slots.add(slot);
    const message = this.#maker.readings(boot, componentType, readings.slice(0, sent.length));
    this.#send(message).catch((cause: unknown) => this.#logger.debug('message not sent', { cause }));
  }

  #answerWithinMs(level: number): number {
    const { resendAfterMs, resendMaxMs } = this.#config;
    if (level === 0) return resendAfterMs;
    return Math.min(resendMaxMs, resendAfterMs * 2 ** level) * (0.5 + this.#random.fraction());
  }

  #unanswered(slot: Slot): void {
    this.#dissolve(slot);
    // Messages of one round count once.
    if (slot.level === this.#level) {
      this.#level++;
      this.#logger.warn('the cloud does not acknowledge; sending again', { rounds: this.#level });
      this.#events.onUnanswered(this.#level);
    }
    this.#pump();
  }

  #dissolve(slot: Slot): void {
    slot.cancel();
    this.#slots.delete(slot);
    this.#held.release(slot.bootOrder, slot.seqs);
  }

  /** Refused, but not for ever: sent again later. */
  #postpone(
    bootOrder: number,
    refused: readonly { readonly seq: number; readonly code: ReadingProblem }[],
  ): void {
    const { resendAfterMs } = this.#config;
    const about = refused.find(({ code }) => bootProblems.includes(code))?.code;
    if (about !== undefined) {
      this.#postponeBoot(bootOrder, about);
      return;
    }
    this.#logger.warn('the cloud does not take readings now; they are kept', { code: refused[0]?.code });
    const seqs = refused.map(({ seq }) => seq);
    this.#held.hold(seqs.map((seq) => ({ boot: { order: bootOrder }, reading: { seq } }) as StoredReading));
    this.#postponedCount += seqs.length;
    const cancel = this.#clock.after(resendAfterMs * (1 + this.#random.fraction()), () => {
      this.#postponed.delete(cancel);
      this.#postponedCount -= seqs.length;
      this.#held.release(bootOrder, seqs);
      this.#pump();
    });
    this.#postponed.add(cancel);
  }

  #postponeBoot(bootOrder: number, code: ReadingProblem): void {
    // Messages of one round count once.
    if (this.#isPostponed(bootOrder)) return;
    const { resendMaxMs } = this.#config;
    const times = this.#postponedBoots.get(bootOrder)?.times ?? 0;
    const window =
      code === 'TOO_MANY_BOOTS' ? resendMaxMs : Math.min(resendMaxMs, BOOT_AGAIN_MS * 2 ** times);
    const untilMs = this.#clock.monotonicMs() + window * (0.5 + this.#random.fraction());
    this.#logger.warn('the cloud does not take readings of a boot now; they are kept', { code });
    this.#postponedBoots.set(bootOrder, { untilMs, times: times + 1 });
    this.#wakeForBoots();
  }

  #wakeForBoots(): void {
    this.#cancelBoots();
    const now = this.#clock.monotonicMs();
    const due = [...this.#postponedBoots.values()].filter(({ untilMs }) => untilMs > now);
    if (due.length === 0) return;
    const nextMs = Math.min(...due.map(({ untilMs }) => untilMs)) - now;
    this.#cancelBoots = this.#clock.after(nextMs, () => {
      this.#pump();
      this.#wakeForBoots();
    });
  }

  #isPostponed(bootOrder: number): boolean {
    return (this.#postponedBoots.get(bootOrder)?.untilMs ?? 0) > this.#clock.monotonicMs();
  }
}
