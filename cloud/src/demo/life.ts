import { setTimeout as wait } from 'node:timers/promises';
import { ProblemError, parseRegistrationLine } from '@ares/protocol';
import type { StepReport } from '@ares/protocol/ble';
import type { Client } from '@ares/protocol/http';
import { connectWithin, greenhouse, greenhouseWifi, pairVirtualPi } from '../phone/simulated-phone.ts';
import type { Progress } from './progress.ts';
import type { Factory, VirtualPi } from './virtual-pi.ts';

const RUN_MS = 1_000;

const stepWords: Record<StepReport['step'], string> = {
  wifi: 'joining the Wi-Fi',
  address: 'getting an address',
  clock: 'looking at the clock',
  dns: 'finding the cloud',
  tls: 'checking the certificate of the cloud',
  claim: 'completing the claim with the signature of its own key',
  certificate: 'receiving its certificate',
  'first-reading': 'loading drivers, sending the first signed reading',
};

/** Registers the device, or finds that it is registered already. Answers its UUID. */
export async function preregister(progress: Progress, admin: Client, factory: Factory): Promise<string> {
  const parsed = parseRegistrationLine(factory.registrationLine);
  if (!parsed.ok) throw new TypeError('factory-init printed no registration line');
  const { deviceUuid, cpuSerial } = parsed.value;
  await progress.step('preregister', async () => {
    try {
      await admin.preregister({ body: parsed.value });
      return [undefined, `board ${cpuSerial} registered with the hash of its identity key`];
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'ALREADY_PREREGISTERED') throw error;
      return [undefined, `board ${cpuSerial} is known`];
    }
  });
  return deviceUuid;
}

/** The owner's phone: pair, claim, provision, attach what is wired, wait for the first reading. */
export async function pairAndClaim(
  progress: Progress,
  owner: Client,
  pi: VirtualPi,
  factory: Factory,
): Promise<void> {
  const link = await progress.step('bluetooth', async () => [
    await connectWithin(pi.bleSocket, 30_000),
    'the device advertises, the phone connects',
  ]);
  await progress.step('claim', async (say) => {
    const deviceUuid = await pairVirtualPi({
      link,
      setupCode: factory.setupCode,
      client: owner,
      wifi: greenhouseWifi,
      components: greenhouse,
      onEvent: (event) => {
        if (event.event === 'connected') say('encrypted session by the setup code of the label');
        if (event.event === 'claimed')
          say('claimed in the cloud, to be completed by the device within 10 minutes');
        if (event.event === 'step' && event.report.result === 'running') say(stepWords[event.report.step]);
      },
    });
    await owner.setNickname({ params: { id: deviceUuid }, body: { nickname: 'Greenhouse' } });
    return [undefined, 'claimed, own certificate, drivers loaded, first signed reading stored'];
  });
}

/** Waits until the device is back and its drivers report. */
export async function waitUntilLive(progress: Progress, owner: Client, deviceUuid: string): Promise<void> {
  await progress.step('operate', async (say) => {
    say('waiting for live state');
    for (let attempt = 0; attempt < 600; attempt++) {
      const state = await owner.state({ params: { id: deviceUuid } });
      const reporting = state.components.filter(({ metrics }) => Object.keys(metrics).length > 0);
      if (
        state.device_status === 'ONLINE' &&
        reporting.length === state.components.length &&
        reporting.length > 0
      ) {
        const temperature = state['dht22_temp'];
        const words =
          typeof temperature === 'number' ? `, ${temperature.toFixed(1)} °C in the greenhouse` : '';
        return [undefined, `online, ${reporting.length} components report${words}`];
      }
      await wait(100);
    }
    throw new Error('The device did not come online within a minute.');
  });
}

/** Lets the pump run for a second, and sees it off again without another order. */
export async function runPump(progress: Progress, owner: Client, deviceUuid: string): Promise<void> {
  await progress.step('command', async (say) => {
    const outcome = await switchOn(owner, deviceUuid);
    if (outcome.status !== 'COMPLETED') {
      return [undefined, `the pump did not run: ${outcome.status} ${outcome.detail ?? ''}`];
    }
    say('the pump runs, its line was read back; waiting for it to switch itself off');
    for (let attempt = 0; attempt < 100; attempt++) {
      const { components } = await owner.state({ params: { id: deviceUuid } });
      const state = components.find(({ componentType }) => componentType === 'pump')?.metrics['state'];
      // Only a level measured after the order: before it the pump was off as well.
      const since = state === undefined ? 0 : Date.parse(state.measuredAt) - Date.parse(outcome.createdAt);
      if (state?.value === 0 && since > RUN_MS / 2) {
        return [undefined, 'pump ran for 1 s by signed command and switched itself off'];
      }
      await wait(100);
    }
    throw new Error('The pump did not report that it is off.');
  });
}

/** A pump rests for a moment after its driver was loaded; so it may have to be asked again. */
async function switchOn(owner: Client, deviceUuid: string) {
  for (let attempt = 0; ; attempt++) {
    const outcome = await owner.sendCommand({
      params: { id: deviceUuid },
      query: { wait: 10 },
      body: { componentType: 'pump', action: 'on', args: { durationMs: RUN_MS } },
    });
    if (!('status' in outcome)) throw new Error('The device did not answer the command within ten seconds.');
    if (outcome.status !== 'REJECTED' || attempt === 3) return outcome;
    await wait(600);
  }
}
