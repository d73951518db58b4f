import { useId, useState } from 'preact/hooks';
import type { Commands } from './commands.ts';
import { agoText, clockText, durationText, label, outcomeText, valueText } from './format.ts';
import { useAttempt } from './panel.ts';
import type { Component, ComponentState, ComponentType } from './types.ts';

export interface ComponentCardProps {
  readonly component: Component;
  /** Absent when the catalogue does not know the type (any more). */
  readonly type: ComponentType | undefined;
  /** Absent before the device reported it. */
  readonly state: ComponentState | undefined;
  readonly connected: boolean;
  /** Absent for those who may only look. */
  readonly commands: Commands | undefined;
  readonly detach: (() => Promise<void>) | undefined;
  readonly now: number;
}

export function ComponentCard(props: ComponentCardProps) {
  const { component, type, state, connected, commands, detach, now } = props;
  const metrics = Object.entries(state?.metrics ?? {});
  const newest = metrics
    .map(([, { measuredAt }]) => measuredAt)
    .sort()
    .at(-1);
  const pins = Object.entries(component.pins).map(([role, pin]) => `${role} on GPIO ${pin}`);
  const title = component.name ?? label(component.componentType);
  const status = state?.status;
  return (
    <article class={`card${connected && status === 'OK' ? '' : ' old'}`} aria-label={title}>
      <header>
        <h3>{title}</h3>
        <span class={`chip ${status ?? 'NONE'}`}>{status ?? 'No report'}</span>
      </header>
      <dl class="metrics">
        {metrics.map(([metric, { value, unit }]) => (
          <div key={metric}>
            <dt>{label(metric)}</dt>
            <dd>{valueText(value, unit, metric)}</dd>
          </div>
        ))}
      </dl>
      {state?.reason !== undefined && status !== 'OK' && <p class={`reason ${status}`}>{state.reason}</p>}
      {metrics.length === 0 && state?.reason === undefined && (
        <p class="muted small">No reading has arrived yet.</p>
      )}
      {newest !== undefined && (
        <p class="muted small" title={new Date(newest).toLocaleString()}>
          Measured {agoText(newest, now)}, {clockText(newest)}
        </p>
      )}
      {commands !== undefined && type?.kind === 'actuator' && (
        <Controls componentId={component.componentId} type={type} commands={commands} now={now} />
      )}
      <footer class="muted small">
        <span>
          {component.name === undefined ? '' : `${label(component.componentType)}, `}
          {pins.length === 0 ? `component ${component.componentId}` : pins.join(', ')}
        </span>
        {detach !== undefined && <Detach title={title} detach={detach} />}
      </footer>
    </article>
  );
}

function Detach({ title, detach }: { readonly title: string; readonly detach: () => Promise<void> }) {
  const [asking, setAsking] = useState(false);
  const [attempt, run] = useAttempt();
  if (attempt.phase === 'failed') {
    return (
      <span class="problem" role="alert">
        {attempt.why}
      </span>
    );
  }
  if (!asking) {
    return (
      <button type="button" class="quiet" aria-label={`Detach ${title}`} onClick={() => setAsking(true)}>
        Detach
      </button>
    );
  }
  return (
    <span class="confirm">
      <button
        type="button"
        class="quiet danger"
        aria-label={`Confirm to detach ${title}`}
        disabled={attempt.phase === 'busy'}
        onClick={() => void run(detach)}
      >
        Detach now
      </button>
      <button type="button" class="quiet" onClick={() => setAsking(false)}>
        Keep
      </button>
    </span>
  );
}

const FIRST_SECONDS = 10;

function Controls({
  componentId,
  type,
  commands,
  now,
}: {
  readonly componentId: number;
  readonly type: ComponentType;
  readonly commands: Commands;
  readonly now: number;
}) {
  const id = useId();
  const [seconds, setSeconds] = useState(String(FIRST_SECONDS));
  const order = commands.orders.get(componentId);
  const record =
    order?.phase === 'accepted'
      ? commands.log?.find(({ commandId }) => commandId === order.commandId)
      : undefined;
  const underWay =
    order?.phase === 'sending' ||
    (order?.phase === 'accepted' && (record?.status ?? 'PENDING') === 'PENDING');
  const timed = type.actions.filter(({ longestRunMs }) => longestRunMs !== undefined);
  const longest = Math.floor(Math.min(...timed.map(({ longestRunMs = 0 }) => longestRunMs)) / 1_000);
  // `stop` is `off` under the name that every actuator knows; two buttons would say two things.
  const plain = type.actions.filter(
    ({ action, longestRunMs }) =>
      longestRunMs === undefined &&
      !(action === 'stop' && type.actions.some((other) => other.action === 'off')),
  );
  const wanted = Number(seconds);
  const valid = Number.isFinite(wanted) && wanted >= 1 && wanted <= longest;
  return (
    <div class="controls">
      {timed.length > 0 && (
        <div class="row">
          <label for={id}>Seconds</label>
          <input
            id={id}
            type="number"
            inputMode="numeric"
            min={1}
            max={longest}
            value={seconds}
            aria-invalid={!valid}
            onInput={(event) => setSeconds(event.currentTarget.value)}
          />
          {timed.map(({ action }) => (
            <button
              key={action}
              type="button"
              disabled={!valid || underWay}
              onClick={() =>
                void commands.send(
                  componentId,
                  action,
                  { durationMs: Math.round(wanted * 1_000) },
                  `${label(action)} for ${durationText(wanted * 1_000)}`,
                )
              }
            >
              {label(action)}
            </button>
          ))}
          {/* Never disabled: who wants it to end must not have to wait for anything. */}
          {plain.map(({ action }) => (
            <button
              key={action}
              type="button"
              onClick={() => void commands.send(componentId, action, {}, label(action))}
            >
              {label(action)}
            </button>
          ))}
        </div>
      )}
      {!valid && <p class="problem small">From 1 s to {durationText(longest * 1_000)}.</p>}
      <p
        class={`outcome small ${order === undefined ? '' : order.phase === 'refused' || (record !== undefined && record.status !== 'PENDING' && record.status !== 'COMPLETED') ? 'problem' : ''}`}
        role="status"
      >
        {order?.phase === 'sending' && `${order.words}: waiting for the device.`}
        {order?.phase === 'refused' && `${order.words}: refused. ${order.why}`}
        {order?.phase === 'accepted' &&
          `${order.words}: ${record === undefined ? 'accepted by the cloud; no outcome yet.' : outcomeText(record, now)}`}
      </p>
    </div>
  );
}
