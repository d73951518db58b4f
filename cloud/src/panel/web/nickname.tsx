import type { TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import { useAttempt, usePanel } from './panel.ts';
import type { Device } from './types.ts';

export function Nickname({ device }: { readonly device: Device }) {
  const panel = usePanel();
  const [attempt, run] = useAttempt();
  const [saved, setSaved] = useState(false);
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get('nickname')).trim();
    setSaved(false);
    const done = await run(async () => {
      const renamed = await panel.client.setNickname({
        params: { id: device.deviceUuid },
        body: { nickname: text === '' ? null : text },
      });
      panel.fleet.send({ kind: 'device', device: renamed });
    });
    setSaved(done);
  };
  return (
    <form class="inline" onSubmit={(event) => void submit(event)}>
      <label>
        Nickname
        <input
          key={device.nickname ?? ''}
          name="nickname"
          defaultValue={device.nickname ?? ''}
          maxLength={80}
          autocomplete="off"
          placeholder="none"
        />
      </label>
      <button type="submit" disabled={attempt.phase === 'busy'}>
        Save
      </button>
      {saved && attempt.phase === 'idle' && <span role="status">Saved.</span>}
      {attempt.phase === 'failed' && (
        <span class="problem" role="alert">
          {attempt.why}
        </span>
      )}
    </form>
  );
}
