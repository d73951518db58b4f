import { ProblemError } from '@ares/protocol';
import type { CommandRequest, CommandTarget } from './types.ts';

const LARGEST_ARGS_BYTES = 4_096;

/**
 * The one component that is meant.
 * @throws {ProblemError} NOT_FOUND, AMBIGUOUS_COMPONENT, INVALID_REQUEST
 */
export function chooseTarget(request: CommandRequest, targets: readonly CommandTarget[]): CommandTarget {
  const { componentId, componentType } = request;
  if (componentId === undefined && componentType === undefined)
    throw new ProblemError('INVALID_REQUEST', 'Say which component: give componentId or componentType.');
  const fitting = targets.filter(
    (target) =>
      (componentId === undefined || target.componentId === componentId) &&
      (componentType === undefined || target.componentType === componentType),
  );
  const [target] = fitting;
  const name = componentId === undefined ? componentType : `component ${componentId}`;
  if (target === undefined) throw new ProblemError('NOT_FOUND', `No ${name} is attached to this device.`);
  if (fitting.length > 1) {
    const ids = fitting.map((one) => one.componentId).join(', ');
    throw new ProblemError(
      'AMBIGUOUS_COMPONENT',
      `Several components are a ${name}: choose componentId ${ids}.`,
    );
  }
  return target;
}

/**
 * Whether the component's type has the action and these arguments can be meant. The driver on the device has the
 * last word on both.
 * @throws {ProblemError} UNKNOWN_ACTION, INVALID_REQUEST
 */
export function checkAction(request: CommandRequest, target: CommandTarget): void {
  const { componentType, definition } = target;
  const action = definition.actions.find((one) => one.action === request.action);
  if (action === undefined) {
    const names = definition.actions.map((one) => one.action).join(', ');
    throw new ProblemError(
      'UNKNOWN_ACTION',
      `A ${componentType} cannot ${request.action}; it knows ${names === '' ? 'no action' : names}.`,
    );
  }
  if (Buffer.byteLength(JSON.stringify(request.args)) > LARGEST_ARGS_BYTES)
    throw invalid('args', `must be at most ${LARGEST_ARGS_BYTES} bytes`);
  const { durationMs } = request.args as { durationMs?: unknown };
  if (action.longestRunMs === undefined) {
    if (durationMs !== undefined) throw invalid('args.durationMs', `${action.action} has no duration`);
    return;
  }
  const { longestRunMs } = action;
  if (!(Number.isSafeInteger(durationMs) && Number(durationMs) >= 1 && Number(durationMs) <= longestRunMs))
    throw invalid('args.durationMs', `must be a whole number of milliseconds from 1 to ${longestRunMs}`);
}

function invalid(path: string, message: string): ProblemError {
  return new ProblemError('INVALID_REQUEST', `${path} ${message}.`, { issues: [{ path, message }] });
}
