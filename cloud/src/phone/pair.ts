import {
  type BleLink,
  type BleResponseOf,
  connectDevice,
  type StepReport,
  type WifiSettings,
} from '@ares/protocol/ble';
import type { Client } from '@ares/protocol/http';

type Identity = BleResponseOf<'identity'>;

/** What an owner sees happen, in this order; `step` repeats. */
export type PairingEvent =
  | { readonly event: 'connected'; readonly deviceUuid: string }
  | { readonly event: 'identified'; readonly identity: Identity }
  | { readonly event: 'claimed'; readonly claimId: string; readonly expiresAt: string }
  | { readonly event: 'step'; readonly report: StepReport };

/** A step of the device failed; nothing of the transaction was kept. */
export class PairingError extends Error {
  override readonly name = 'PairingError';
  readonly code: 'STEP_FAILED' | 'TIMEOUT';
  readonly report: StepReport | undefined;

  constructor(code: 'STEP_FAILED' | 'TIMEOUT', message: string, report?: StepReport) {
    super(message);
    this.code = code;
    this.report = report;
  }
}

/**
 * The phone's half of a claim: connect over Bluetooth, read the identity, claim in the cloud, hand the claim and
 * the Wi-Fi over, follow the steps until the first reading has arrived.
 *
 * @throws {BleError} for the radio and the setup code, {@link ProblemError} for the cloud, {@link PairingError}
 */
export async function pairDevice(options: {
  readonly link: BleLink;
  /** As typed, or its 16 bytes. */
  readonly setupCode: string | Uint8Array;
  /** From the QR code: refuses another device. */
  readonly expectedUuid?: string;
  readonly client: Pick<Client, 'claim'>;
  /** `undefined`: the device keeps the network that it has. */
  readonly wifi: WifiSettings | undefined;
  readonly random: (length: number) => Uint8Array;
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
  readonly onEvent: (event: PairingEvent) => void;
  /** Called once when the device is the owner's, e.g. to attach its components; the first reading needs them. */
  readonly onOwned: (identity: Identity) => Promise<void>;
  readonly timeoutMs?: number;
}): Promise<Identity> {
  const { client, onEvent, now } = options;
  const device = await connectDevice(options);
  try {
    onEvent({ event: 'connected', deviceUuid: device.info.uuid });
    const identity = await device.identity();
    onEvent({ event: 'identified', identity });
    const { cpuSerial, deviceUuid, identityKeyHash } = identity;
    const claim = await client.claim({ body: { cpuSerial, deviceUuid, identityKeyHash } });
    onEvent({ event: 'claimed', claimId: claim.claimId, expiresAt: claim.expiresAt });
    await device.provision({
      ...(options.wifi !== undefined && { wifi: options.wifi }),
      apiUrl: claim.deviceApiUrl,
      claimId: claim.claimId,
      nonce: claim.nonce,
      phoneTime: now(),
    });
    const told = new Map<string, string>();
    const deadline = now() + (options.timeoutMs ?? 120_000);
    let owned = false;
    for (;;) {
      const { steps } = await device.status();
      for (const report of steps) {
        if (report.result === 'pending' || told.get(report.step) === report.result) continue;
        told.set(report.step, report.result);
        onEvent({ event: 'step', report });
        if (report.result === 'failed') {
          throw new PairingError('STEP_FAILED', report.detail ?? `The step ${report.step} failed.`, report);
        }
      }
      if (!owned && told.get('certificate') === 'ok') {
        owned = true;
        await options.onOwned(identity);
      }
      if (told.get('first-reading') === 'ok') return identity;
      if (now() > deadline)
        throw new PairingError('TIMEOUT', 'The device did not finish in time. Try again.');
      await options.wait(100);
    }
  } finally {
    await device.close();
  }
}
