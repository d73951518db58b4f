import { useState } from 'preact/hooks';
import { type Fleet, lastSeenOf, nameOf, presenceOf, selectDevices } from './fleet.ts';
import { agoText, label, presenceText, valueText } from './format.ts';
import { useNow, usePanel } from './panel.ts';
import { Preregister } from './preregister.tsx';
import { isAdministrator } from './session.ts';
import { useStore } from './store.ts';
import type { Device, StateDocument, User } from './types.ts';

const MOST_ROWS = 200;
const SEARCH_FROM = 8;

export function DeviceList({ user }: { readonly user: User }) {
  const panel = usePanel();
  const fleet = useStore(panel.fleet);
  const [text, setText] = useState('');
  const now = useNow();
  const administrator = isAdministrator(user);
  const selected = selectDevices(fleet, text);
  const count = fleet.devices?.size ?? 0;
  return (
    <>
      <div class="title">
        <h1>{administrator ? 'All devices' : 'Your devices'}</h1>
        {count > 0 && <span class="muted">{countText(fleet)}</span>}
        {count >= SEARCH_FROM && (
          <input
            type="search"
            aria-label="Search by name, id or serial"
            placeholder="Name, id or serial"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        )}
      </div>
      {fleet.listProblem !== undefined && (
        <p class="problem" role="alert">
          {fleet.listProblem}{' '}
          <button type="button" onClick={() => void panel.reload()}>
            Try again
          </button>
        </p>
      )}
      {fleet.devices === undefined && fleet.listProblem === undefined && (
        <p class="muted" role="status">
          Loading devices
        </p>
      )}
      {fleet.devices?.size === 0 && <NoDevices administrator={administrator} />}
      {count > 0 && selected.length === 0 && <p class="muted">No device matches “{text}”.</p>}
      {selected.length > 0 && (
        <ul class="devices">
          {selected.slice(0, MOST_ROWS).map((device) => (
            <Row
              key={device.deviceUuid}
              device={device}
              state={fleet.states.get(device.deviceUuid)}
              now={now}
            />
          ))}
        </ul>
      )}
      {selected.length > MOST_ROWS && (
        <p class="muted">
          {MOST_ROWS} of {selected.length} are shown; search to narrow down.
        </p>
      )}
      {administrator && <Preregister />}
    </>
  );
}

function countText(fleet: Fleet): string {
  const devices = [...(fleet.devices?.values() ?? [])];
  const online = devices.filter(
    (device) =>
      device.claimedAt !== null && presenceOf(device, fleet.states.get(device.deviceUuid)) === 'ONLINE',
  ).length;
  return `${online} of ${devices.length} online`;
}

function NoDevices({ administrator }: { readonly administrator: boolean }) {
  return (
    <div class="empty">
      <p>{administrator ? 'No device is registered yet.' : 'You own no device yet.'}</p>
      <p class="muted">
        {administrator
          ? 'Register one below with the line that factory-init prints; its owner then claims it.'
          : 'A device is claimed near it, over Bluetooth, with the setup code on its label. It appears here by itself.'}
      </p>
    </div>
  );
}

function Row({
  device,
  state,
  now,
}: {
  readonly device: Device;
  readonly state: StateDocument | undefined;
  readonly now: number;
}) {
  const presence = presenceOf(device, state);
  const active = device.lifeCycle === 'ACTIVE';
  return (
    <li>
      <a href={`#/devices/${device.deviceUuid}`}>
        <span class="name">{nameOf(device)}</span>
        {active ? (
          <span class={`chip ${presence}`}>{presenceText[presence]}</span>
        ) : (
          <span class={`chip ${device.lifeCycle}`}>{label(device.lifeCycle.toLowerCase())}</span>
        )}
        <span class={`values${presence === 'ONLINE' ? '' : ' old'}`}>
          {state === undefined ? '' : headline(state)}
        </span>
        <span class="seen muted">
          {device.lastSeen === null && state === undefined
            ? 'never seen'
            : `seen ${agoText(lastSeenOf(device, state), now)}`}
        </span>
        <span class="id muted">
          {device.deviceUuid.slice(0, 8)} · {device.hardwareVersion} {device.hardwareVariant}
        </span>
      </a>
    </li>
  );
}

/** The first value of each component, and each component that is not well. */
function headline(state: StateDocument): string {
  return state.components
    .flatMap((component) => {
      const name = component.name ?? label(component.componentType);
      if (component.status === 'ERROR') return [`${name} error`];
      const first = Object.entries(component.metrics)[0];
      return first === undefined ? [] : [`${name} ${valueText(first[1].value, first[1].unit, first[0])}`];
    })
    .slice(0, 6)
    .join(' · ');
}
