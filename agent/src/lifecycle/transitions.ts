/** Where in its life a device is; kept durably. */
export type LifecycleState =
  | 'UNPROVISIONED'
  | 'PROVISIONING'
  | 'OPERATING'
  | 'RECOVERY_NEEDED'
  | 'BLOCKED'
  | 'RESETTING';

export type LifecycleEvent =
  /** The process starts and finds the device in this state. */
  | 'started'
  | 'provision-requested'
  | 'provisioned'
  | 'provision-failed'
  /** By grant `recovery`, with the owner's token. */
  | 'recovered'
  /** Signed answers to the question for the device's standing. */
  | 'standing-active'
  | 'standing-recovery-needed'
  | 'standing-blocked'
  /** Neither credentials nor the address of a cloud are left: only the owner can help. */
  | 'credentials-lost'
  /** A signed order, the signed answer `RELEASED`, the button or the CLI. */
  | 'reset-requested'
  | 'reset-done';

/** What the device does in a state, until something ends it. One runs at a time. */
export type LifecycleStep =
  | 'await-claim'
  | 'provision'
  | 'operate'
  | 'await-recovery'
  | 'wait-while-blocked'
  | 'reset';

export interface Transition {
  readonly from: LifecycleState;
  readonly on: LifecycleEvent;
  readonly to: LifecycleState;
  readonly step: LifecycleStep;
}

const row = (
  from: LifecycleState,
  on: LifecycleEvent,
  to: LifecycleState,
  step: LifecycleStep,
): Transition => ({
  from,
  on,
  to,
  step,
});

/** The life of a device. What has no row here cannot happen. */
export const transitions: readonly Transition[] = [
  row('UNPROVISIONED', 'started', 'UNPROVISIONED', 'await-claim'),
  row('UNPROVISIONED', 'provision-requested', 'PROVISIONING', 'provision'),
  row('UNPROVISIONED', 'reset-requested', 'RESETTING', 'reset'),

  row('PROVISIONING', 'started', 'PROVISIONING', 'provision'),
  row('PROVISIONING', 'provisioned', 'OPERATING', 'operate'),
  row('PROVISIONING', 'provision-failed', 'UNPROVISIONED', 'await-claim'),
  row('PROVISIONING', 'reset-requested', 'RESETTING', 'reset'),

  row('OPERATING', 'started', 'OPERATING', 'operate'),
  row('OPERATING', 'recovered', 'OPERATING', 'operate'),
  row('OPERATING', 'standing-recovery-needed', 'RECOVERY_NEEDED', 'await-recovery'),
  row('OPERATING', 'credentials-lost', 'RECOVERY_NEEDED', 'await-recovery'),
  row('OPERATING', 'standing-blocked', 'BLOCKED', 'wait-while-blocked'),
  row('OPERATING', 'reset-requested', 'RESETTING', 'reset'),

  row('RECOVERY_NEEDED', 'started', 'RECOVERY_NEEDED', 'await-recovery'),
  row('RECOVERY_NEEDED', 'recovered', 'OPERATING', 'operate'),
  row('RECOVERY_NEEDED', 'standing-active', 'OPERATING', 'operate'),
  row('RECOVERY_NEEDED', 'standing-blocked', 'BLOCKED', 'wait-while-blocked'),
  row('RECOVERY_NEEDED', 'reset-requested', 'RESETTING', 'reset'),

  row('BLOCKED', 'started', 'BLOCKED', 'wait-while-blocked'),
  row('BLOCKED', 'recovered', 'OPERATING', 'operate'),
  row('BLOCKED', 'standing-active', 'OPERATING', 'operate'),
  row('BLOCKED', 'standing-recovery-needed', 'RECOVERY_NEEDED', 'await-recovery'),
  row('BLOCKED', 'reset-requested', 'RESETTING', 'reset'),

  row('RESETTING', 'started', 'RESETTING', 'reset'),
  row('RESETTING', 'reset-done', 'UNPROVISIONED', 'await-claim'),
];

/** An event that the state has no row for: a request at the wrong time, or a mistake of the program. */
export class LifecycleError extends Error {
  override readonly name = 'LifecycleError';
  readonly code = 'NO_TRANSITION';
  readonly state: LifecycleState;
  readonly event: LifecycleEvent;

  constructor(state: LifecycleState, event: LifecycleEvent) {
    super(`A device that is ${state} does not take "${event}".`);
    this.state = state;
    this.event = event;
  }
}

/** The row for an event. @throws {LifecycleError} */
export function next(state: LifecycleState, event: LifecycleEvent): Transition {
  const found = transitions.find(({ from, on }) => from === state && on === event);
  if (found === undefined) throw new LifecycleError(state, event);
  return found;
}
