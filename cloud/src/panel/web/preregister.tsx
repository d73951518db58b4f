import { parseRegistrationLine } from '@ares/protocol';
import type { TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import { useAttempt, usePanel } from './panel.ts';

/** For administrators: makes a device known by the line of `factory-init`. */
export function Preregister() {
  const panel = usePanel();
  const [attempt, run] = useAttempt();
  const [registered, setRegistered] = useState<string>();
  const [wrong, setWrong] = useState<string>();
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const parsed = parseRegistrationLine(String(new FormData(form).get('line')));
    setRegistered(undefined);
    setWrong(
      parsed.ok
        ? undefined
        : parsed.issues.map(({ path, message }) => `${path} ${message}`.trim()).join('; '),
    );
    if (!parsed.ok) return;
    void run(async () => {
      const { deviceUuid } = await panel.client.preregister({ body: parsed.value });
      setRegistered(deviceUuid);
      form.reset();
      await panel.reload();
    });
  };
  const problem = wrong ?? (attempt.phase === 'failed' ? attempt.why : undefined);
  return (
    <section>
      <h2>Register a device</h2>
      <form class="inline" onSubmit={submit}>
        <label class="wide">
          Registration line
          <input
            name="line"
            required
            autocomplete="off"
            spellcheck={false}
            placeholder="ares1:serial:uuid:key hash:version:variant"
          />
        </label>
        <button type="submit" disabled={attempt.phase === 'busy'}>
          Register
        </button>
      </form>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {registered !== undefined && <p role="status">Registered {registered}; it can be claimed now.</p>}
      <p class="muted small">
        Printed on the device by <code>ares-agent factory-init</code>. Nothing in it is secret.
      </p>
    </section>
  );
}
