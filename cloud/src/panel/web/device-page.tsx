import { allItems } from '@ares/protocol/http';
import { useEffect, useState } from 'preact/hooks';
import { AttachForm } from './attach-form.tsx';
import { Charts } from './charts.tsx';
import { CommandLog } from './command-log.tsx';
import { useCommands } from './commands.ts';
import { ComponentCard } from './component-card.tsx';
import { lastSeenOf, nameOf, presenceOf } from './fleet.ts';
import { agoText, dateTimeText, label, presenceText, problemText } from './format.ts';
import { Nickname } from './nickname.tsx';
import { useNow, usePanel } from './panel.ts';
import { useStore } from './store.ts';
import type { Component, ComponentType, Device, StateDocument } from './types.ts';
import { Unlink } from './unlink.tsx';

/** What is attached, and the catalogue that explains it. */
interface Wiring {
  readonly components: readonly Component[];
  readonly types: readonly ComponentType[];
}

export function DevicePage({ deviceUuid }: { readonly deviceUuid: string }) {
  const panel = usePanel();
  const fleet = useStore(panel.fleet);
  const device = fleet.devices?.get(deviceUuid);
  if (device !== undefined) {
    return device.claimedAt === null ? (
      <Unowned device={device} />
    ) : (
      <Known device={device} state={fleet.states.get(deviceUuid)} />
    );
  }
  return (
    <>
      <p>
        <a href="#/">All devices</a>
      </p>
      {fleet.devices === undefined && fleet.listProblem === undefined ? (
        <p class="muted" role="status">
          Loading the device
        </p>
      ) : (
        <p class="problem" role="alert">
          {fleet.listProblem ?? 'You have no device with this id. It may have been given away.'}
        </p>
      )}
    </>
  );
}

function Known({ device, state }: { readonly device: Device; readonly state: StateDocument | undefined }) {
  const panel = usePanel();
  const now = useNow();
  const { deviceUuid } = device;
  const [wiring, setWiring] = useState<Wiring>();
  const [problem, setProblem] = useState<string>();
  const commands = useCommands(deviceUuid);
  const mayAct = device.role !== 'viewer' && device.lifeCycle === 'ACTIVE';

  const loadWiring = async () => {
    try {
      const params = { id: deviceUuid };
      const [components, types] = await Promise.all([
        panel.client.listComponents({ params }),
        allItems((cursor) => panel.client.listComponentTypes({ query: { cursor, limit: 200 } })),
      ]);
      setWiring({ components: components.items, types });
      setProblem(undefined);
    } catch (error) {
      setProblem(problemText(error));
    }
  };
  // Somebody else may attach or detach as well: the state names what is attached.
  const attached = state?.components.map(({ componentId }) => componentId).join();
  useEffect(() => void loadWiring(), [deviceUuid, attached]);
  useEffect(
    () => void panel.reloadState(deviceUuid).catch((error) => setProblem(problemText(error))),
    [deviceUuid],
  );

  const presence = presenceOf(device, state);
  const seen = lastSeenOf(device, state);
  return (
    <>
      <p class="crumb">
        <a href="#/">Devices</a>
      </p>
      <div class="title">
        <h1>{nameOf(device)}</h1>
        <span class={`chip ${presence}`}>{presenceText[presence]}</span>
        {device.lifeCycle !== 'ACTIVE' && (
          <span class={`chip ${device.lifeCycle}`}>{label(device.lifeCycle.toLowerCase())}</span>
        )}
        <span class="muted">{seen === null ? 'never seen' : `seen ${agoText(seen, now)}`}</span>
      </div>
      {presence !== 'ONLINE' && seen !== null && (
        <p class="note">
          The device is not connected. Values are the last it sent; commands expire unless it returns in time.
        </p>
      )}
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}{' '}
          <button type="button" onClick={() => void loadWiring()}>
            Try again
          </button>
        </p>
      )}
      <section aria-label="Components">
        {wiring?.components.length === 0 && (
          <div class="empty">
            <p>No component is attached.</p>
            <p class="muted">
              Attach below what is wired to the device; it starts reading without a restart.
            </p>
          </div>
        )}
        {wiring === undefined && problem === undefined && (
          <p class="muted" role="status">
            Loading components
          </p>
        )}
        <div class="cards">
          {wiring?.components.map((component) => (
            <ComponentCard
              key={component.componentId}
              component={component}
              type={wiring.types.find(({ componentType }) => componentType === component.componentType)}
              state={state?.components.find(({ componentId }) => componentId === component.componentId)}
              connected={presence === 'ONLINE'}
              commands={mayAct ? commands : undefined}
              detach={
                mayAct
                  ? async () => {
                      const { componentId } = component;
                      await panel.client.detachComponent({ params: { id: deviceUuid, componentId } });
                      await loadWiring();
                    }
                  : undefined
              }
              now={now}
            />
          ))}
        </div>
      </section>
      {wiring !== undefined && <Charts deviceUuid={deviceUuid} wiring={wiring} state={state} />}
      <CommandLog commands={commands} wiring={wiring} now={now} />
      {mayAct && wiring !== undefined && (
        <AttachForm deviceUuid={deviceUuid} types={wiring.types} attached={loadWiring} />
      )}
      <section>
        <h2>Device</h2>
        {device.role !== 'viewer' && <Nickname device={device} />}
        <Facts device={device} />
        {device.role !== 'viewer' && <Unlink device={device} />}
      </section>
    </>
  );
}

/** Registered or given back: there is neither state nor anything to command. */
function Unowned({ device }: { readonly device: Device }) {
  return (
    <>
      <p class="crumb">
        <a href="#/">Devices</a>
      </p>
      <div class="title">
        <h1>{nameOf(device)}</h1>
        <span class={`chip ${device.lifeCycle}`}>{label(device.lifeCycle.toLowerCase())}</span>
      </div>
      <p class="note">Nobody owns this device. It shows readings here once somebody has claimed it.</p>
      <Facts device={device} />
    </>
  );
}

function Facts({ device }: { readonly device: Device }) {
  return (
    <dl class="facts">
      <dt>Id</dt>
      <dd>{device.deviceUuid}</dd>
      <dt>CPU serial</dt>
      <dd>{device.cpuSerial}</dd>
      <dt>Hardware</dt>
      <dd>
        {device.hardwareVersion} {device.hardwareVariant}
      </dd>
      <dt>Claimed</dt>
      <dd>{device.claimedAt === null ? 'no owner' : dateTimeText(device.claimedAt)}</dd>
      <dt>Your right</dt>
      <dd>{label(device.role)}</dd>
    </dl>
  );
}
