import type { TargetedSubmitEvent } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { confirmsUnlink, nameOf } from './fleet.ts';
import { useAttempt, usePanel } from './panel.ts';
import type { Device } from './types.ts';

/** Gives the device away, once the person has typed which one. */
export function Unlink({ device }: { readonly device: Device }) {
  const panel = usePanel();
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState('');
  const [attempt, run] = useAttempt();
  const confirmed = confirmsUnlink(typed, device);
  const short = device.deviceUuid.slice(0, 8);
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!confirmed) return;
    void run(async () => {
      await panel.client.unlink({ params: { id: device.deviceUuid } });
      dialog.current?.close();
      location.hash = '#/';
      await panel.reload();
    });
  };
  return (
    <>
      <button type="button" class="danger" onClick={() => dialog.current?.showModal()}>
        Unlink this device
      </button>
      <dialog ref={dialog} aria-labelledby="unlink-title" onClose={() => setTyped('')}>
        <form onSubmit={submit}>
          <h2 id="unlink-title">Unlink {nameOf(device)}</h2>
          <p>
            The device wipes what it knows of its owner, its access is revoked, and somebody else can claim
            it. This cannot be undone.
          </p>
          <label>
            To confirm, type {device.nickname === null ? '' : 'its nickname or '}
            {short}
            <input
              value={typed}
              onInput={(event) => setTyped(event.currentTarget.value)}
              autocomplete="off"
              spellcheck={false}
            />
          </label>
          {attempt.phase === 'failed' && (
            <p class="problem" role="alert">
              {attempt.why}
            </p>
          )}
          <div class="row">
            <button type="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" class="danger" disabled={!confirmed || attempt.phase === 'busy'}>
              {attempt.phase === 'busy' ? 'Unlinking' : 'Unlink'}
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
