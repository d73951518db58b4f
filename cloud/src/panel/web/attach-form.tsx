import { headerPins } from '@ares/protocol';
import type { TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import { label } from './format.ts';
import { useAttempt, usePanel } from './panel.ts';
import type { ComponentType } from './types.ts';

export function AttachForm({
  deviceUuid,
  types,
  attached,
}: {
  readonly deviceUuid: string;
  readonly types: readonly ComponentType[];
  readonly attached: () => Promise<void>;
}) {
  const panel = usePanel();
  const [attempt, run] = useAttempt();
  const [chosen, setChosen] = useState(types[0]?.componentType);
  const [wrong, setWrong] = useState<string>();
  const type = types.find(({ componentType }) => componentType === chosen);
  if (type === undefined) return null;

  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    const config = parseSettings(String(fields.get('config')));
    setWrong(
      config === undefined ? 'The settings must be a JSON object, such as {"channel": 0}.' : undefined,
    );
    if (config === undefined) return;
    const name = String(fields.get('name')).trim();
    void run(async () => {
      await panel.client.attachComponent({
        params: { id: deviceUuid },
        body: {
          componentType: type.componentType,
          ...(name !== '' && { name }),
          pins: Object.fromEntries(type.pinRoles.map((role) => [role, Number(fields.get(`pin-${role}`))])),
          config,
        },
      });
      form.reset();
      await attached();
    });
  };
  const problem = wrong ?? (attempt.phase === 'failed' ? attempt.why : undefined);
  return (
    <section>
      <h2>Attach a component</h2>
      <form class="inline" onSubmit={submit}>
        <label>
          Type
          <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
            {types.map(({ componentType }) => (
              <option key={componentType} value={componentType}>
                {label(componentType)}
              </option>
            ))}
          </select>
        </label>
        {type.pinRoles.map((role) => (
          <label key={`${chosen}.${role}`}>
            GPIO of {role}
            <input
              name={`pin-${role}`}
              type="number"
              inputMode="numeric"
              required
              min={0}
              max={Math.max(...headerPins)}
              class="pin"
            />
          </label>
        ))}
        <label>
          Name
          <input name="name" maxLength={80} placeholder="optional" autocomplete="off" />
        </label>
        <label>
          Settings
          <input name="config" placeholder='optional, {"channel": 0}' autocomplete="off" spellcheck={false} />
        </label>
        <button type="submit" disabled={attempt.phase === 'busy'}>
          Attach
        </button>
      </form>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <p class="muted small">
        GPIO numbers as the processor counts them (BCM). The board’s rules decide which are free.
      </p>
    </section>
  );
}

function parseSettings(text: string): Record<string, unknown> | undefined {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
