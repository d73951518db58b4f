import type { Commands } from './commands.ts';
import { actionText, clockText, dateTimeText, label, outcomeText } from './format.ts';
import type { Component } from './types.ts';

export function CommandLog({
  commands,
  wiring,
  now,
}: {
  readonly commands: Commands;
  readonly wiring: { readonly components: readonly Component[] } | undefined;
  readonly now: number;
}) {
  const nameOfComponent = (componentId: number, componentType: string) =>
    wiring?.components.find((component) => component.componentId === componentId)?.name ??
    label(componentType);
  const overtaken = (index: number) =>
    commands.log?.findIndex(({ componentId }) => componentId === commands.log?.[index]?.componentId) !==
    index;
  return (
    <section>
      <h2>Commands</h2>
      {commands.problem !== undefined && (
        <p class="problem" role="alert">
          {commands.problem}
        </p>
      )}
      {commands.log?.length === 0 && <p class="muted">No command was sent yet.</p>}
      {commands.log !== undefined && commands.log.length > 0 && (
        <ol class="log">
          {commands.log.map((command, index) => (
            <li key={command.commandId}>
              <time dateTime={command.createdAt} title={dateTimeText(command.createdAt)} class="muted">
                {clockText(command.createdAt)}
              </time>
              <span class={`chip ${command.status}`}>{label(command.status.toLowerCase())}</span>
              <span class="what">
                {nameOfComponent(command.componentId, command.componentType)} {actionText(command)}
              </span>
              <span class="muted">{outcomeText(command, now, overtaken(index))}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
