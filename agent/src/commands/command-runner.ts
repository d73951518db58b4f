import { DriverError } from '@ares/hardware-drivers';
import {
  type CommandClaims,
  type CommandProblem,
  type CommandResult,
  safeActions,
  topics,
} from '@ares/protocol';
import type { TrustedClock } from '../clock/trusted-clock.ts';
import type { ActionOutcome } from '../components/actuator.ts';
import type { ComponentSet } from '../components/component-set.ts';
import { sentenceOf } from '../components/sentence.ts';
import type { Logger } from '../ports/logger.ts';
import type { CommandJournal } from '../store/types.ts';

/** An order issued this far in the future means that one of the two clocks is wrong. */
const FUTURE_TOLERANCE_MS = 60_000;

/** A command that nothing speaks against. */
interface Runnable {
  act(): Promise<ActionOutcome>;
}

/**
 * Runs verified commands, each at most once: clock → schema and driver limits → commit the id → look at the time
 * again → act → store the result → report. A refusal is a result too and is committed the same way, so that every
 * command ends in a state that the cloud knows. `stop` and `off` are excused from clock, `exp`, `seq` and the queue.
 */
export class CommandRunner {
  readonly #journal: CommandJournal;
  readonly #components: ComponentSet;
  readonly #time: TrustedClock;
  readonly #logger: Logger;
  readonly #report: (result: CommandResult) => void;
  /** By component: safe commands that the disk would not take; nothing before them may run afterwards. */
  readonly #unrecorded = new Map<number, number>();

  constructor(options: {
    readonly journal: CommandJournal;
    readonly components: ComponentSet;
    readonly time: TrustedClock;
    readonly logger: Logger;
    /** The result is stored: send it. */
    readonly report: (result: CommandResult) => void;
  }) {
    this.#journal = options.journal;
    this.#components = options.components;
    this.#time = options.time;
    this.#logger = options.logger;
    this.#report = options.report;
  }

  /** Settles when the command has its result. */
  async run(claims: CommandClaims): Promise<void> {
    const { jti: commandId, action } = claims;
    const safe = safeActions.includes(action);
    const begun = this.#begin(claims, safe);
    if (begun === undefined) return;
    if ('commandId' in begun) {
      this.#report(begun);
      return;
    }
    this.#finish(this.#resultOf(commandId, await begun.act()));
  }

  /** What to do, the result that there is already, or nothing at all. */
  #begin(claims: CommandClaims, safe: boolean): Runnable | CommandResult | undefined {
    const { jti: commandId, asg: assignment, componentId, seq } = claims;
    try {
      const known = this.#journal.find(commandId);
      // The answer was lost, or it is a replay: the same answer again, never the act.
      if (known !== undefined) return known.result;
      const judged = this.#judge(claims, safe);
      const refused = 'outcome' in judged ? this.#resultOf(commandId, judged) : undefined;
      const command = { commandId, assignment, componentId, seq };
      const fresh = this.#journal.receive(refused === undefined ? command : { ...command, refused });
      if (!fresh) return undefined;
      return 'outcome' in judged ? refused : judged;
    } catch (cause) {
      this.#logger.error('command cannot be recorded', { commandId, cause });
      if (!safe) return undefined;
      // What is not recorded might run twice; switching off twice harms nobody.
      this.#unrecorded.set(componentId, Math.max(seq, this.#unrecorded.get(componentId) ?? 0));
      const judged = this.#judge(claims, safe);
      return 'outcome' in judged ? this.#resultOf(commandId, judged) : judged;
    }
  }

  /** Everything that can be said before acting. */
  #judge(claims: CommandClaims, safe: boolean): ActionOutcome | Runnable {
    const { asg, componentId, componentType, seq, action, args } = claims;
    if (!safe) {
      if (this.#journal.damaged !== undefined) return rejected('COMPONENT_ERROR', DAMAGED);
      const seen = Math.max(
        this.#journal.highestSeq(asg, componentId),
        this.#unrecorded.get(componentId) ?? 0,
      );
      if (seq <= seen)
        return {
          outcome: 'STALE',
          code: 'STALE',
          detail: 'A later command for this component was seen before.',
        };
      const late = this.#atTheWrongTime(claims);
      if (late !== undefined) return late;
    }
    const runtime = this.#components.get(componentId);
    if (runtime === undefined || runtime.component.componentType !== componentType)
      return rejected('NOT_ATTACHED', `No ${componentType} with the number ${componentId} is attached here.`);
    const { actuator } = runtime;
    try {
      if (actuator !== undefined) {
        const checked = actuator.check(action, args);
        if (!safe) return { act: () => actuator.run(checked, () => this.#lastLook(claims)) };
      }
      if (safe && runtime.hasOutputs) return { act: () => runtime.makeSafe(action, args) };
    } catch (cause) {
      return rejected(problemOf(cause), sentenceOf(cause));
    }
    return rejected('COMPONENT_ERROR', runtime.health?.reason ?? `${componentType} takes no commands now.`);
  }

  /** In the queue and at the guard time has passed; from here on the command counts as begun. */
  #lastLook(claims: CommandClaims): ActionOutcome | undefined {
    const late = this.#atTheWrongTime(claims);
    if (late !== undefined) return late;
    try {
      this.#journal.acting(claims.jti);
      return undefined;
    } catch (cause) {
      this.#logger.error('command cannot be recorded', { commandId: claims.jti, cause });
      return rejected('COMPONENT_ERROR', 'The device could not record the command; it was not run.');
    }
  }

  #atTheWrongTime({ iat, exp }: CommandClaims): ActionOutcome | undefined {
    const now = this.#time.trustedNow();
    if (now === null)
      return rejected(
        'CLOCK_UNTRUSTED',
        'The clock of the device is not set yet; only stop and off are obeyed.',
      );
    if (now >= exp * 1_000) return { outcome: 'EXPIRED', code: 'EXPIRED', detail: 'It came too late.' };
    if (iat * 1_000 > now + FUTURE_TOLERANCE_MS)
      return rejected('CLOCK_UNTRUSTED', 'The command was issued in the future of this device.');
    return undefined;
  }

  #resultOf(commandId: string, outcome: ActionOutcome): CommandResult {
    const { leaseMs, detail, ...rest } = outcome;
    const at = this.#time.trustedNow();
    return {
      commandId,
      ...rest,
      ...(detail !== undefined && { detail: sentenceOf(detail) }),
      ...(at !== null && { at }),
      ...(at !== null && leaseMs !== undefined && { leaseEndsAt: Math.floor(at + leaseMs) }),
    };
  }

  #finish(result: CommandResult): void {
    try {
      this.#journal.finish(result);
    } catch (cause) {
      this.#logger.error('result cannot be stored', { commandId: result.commandId, cause });
    }
    this.#report(result);
  }
}

/** Whether the order stands on the topic that its claims make, whatever topic it names. */
export function isOnItsTopic({ aud, componentType, action, topic }: CommandClaims): boolean {
  return topics.command.build({ deviceUuid: aud, componentType, action }) === topic;
}

const DAMAGED =
  'The record of former commands was damaged, so this device cannot tell an old command from a new one; only stop and off are obeyed until it is claimed again.';

function rejected(code: CommandProblem, detail: string): ActionOutcome {
  return { outcome: 'REJECTED', code, detail };
}

function problemOf(cause: unknown): CommandProblem {
  if (!(cause instanceof DriverError)) return 'DRIVER_FAILED';
  if (cause.code === 'ACTION_UNKNOWN') return 'UNKNOWN_ACTION';
  if (cause.code === 'RUN_TOO_LONG') return 'LIMIT';
  return cause.code === 'ARGS_INVALID' ? 'BAD_ARGUMENTS' : 'DRIVER_FAILED';
}
