import type { ComponentState } from '@ares/protocol';
import type { DeviceState } from '../ports/state-store.ts';

/** How often a component should be heard of. */
export interface Pace {
  readonly componentId: number;
  /** Epoch ms. */
  readonly attachedAt: number;
  /** Time between two readings as its type has it; `undefined` for a component that measures nothing. */
  readonly intervalMs: number | undefined;
}

interface Health extends Pick<ComponentState, 'status' | 'reason'> {
  /** Epoch ms when time alone changes it, if nothing is heard. */
  readonly changesAt?: number;
}

/** Missed intervals after which a value is old, and after which the component is taken to be broken. */
const STALE_INTERVALS = 3;
const ERROR_INTERVALS = 10;
/** Readings travel together for up to 15 s, so a value is never old before that. */
const STALE_AT_LEAST_MS = 60_000;
const ERROR_AT_LEAST_MS = 300_000;

/**
 * Health of a component: what its device says of it, and what its silence says. A component of a device that is not
 * there is `STALE` and nothing worse: it is not the component that is silent.
 * @param about.newest epoch ms of its newest reading
 */
export function componentHealth(
  pace: Pace,
  about: {
    readonly state: Pick<DeviceState, 'presence' | 'health'>;
    readonly newest: number | undefined;
    readonly onlineSince: number | undefined;
    readonly now: number;
  },
): Health {
  const { state, newest, onlineSince, now } = about;
  const said = state.health.find(({ componentId }) => componentId === pace.componentId);
  if (said?.status === 'ERROR')
    return { status: 'ERROR', ...(said.reason !== undefined && { reason: said.reason }) };
  if (state.presence !== 'ONLINE') return { status: 'STALE' };
  if (pace.intervalMs === undefined) return { status: 'OK' };
  const intervalMs = said?.sampleIntervalMs ?? pace.intervalMs;
  const staleMs = Math.max(STALE_AT_LEAST_MS, STALE_INTERVALS * intervalMs);
  if (newest !== undefined && now - newest <= staleMs)
    return { status: 'OK', changesAt: newest + staleMs + 1 };
  // Of a device that was away nothing could be heard: its components have their time anew.
  const silentSince = Math.max(newest ?? 0, pace.attachedAt, onlineSince ?? now);
  const errorMs = Math.max(ERROR_AT_LEAST_MS, ERROR_INTERVALS * intervalMs);
  if (now - silentSince <= errorMs) return { status: 'STALE', changesAt: silentSince + errorMs + 1 };
  const since = newest === undefined ? 'at all' : `since ${new Date(newest).toISOString()}`;
  return { status: 'ERROR', reason: `no reading ${since}, though its device is online` };
}

/** What the document shows of it. */
export function shownStatus({ status, reason }: Health): Pick<ComponentState, 'status' | 'reason'> {
  return { status, ...(reason !== undefined && { reason }) };
}
