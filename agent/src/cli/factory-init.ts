import { formatRegistrationLine } from '@ares/protocol';
import { openLocalIdentity } from '../compose.ts';
import type { AgentConfig } from '../config.ts';
import { ensureSimulatedSerial } from '../identity/board.ts';
import { devicePaths } from '../identity/device-paths.ts';
import type { LocalIdentity } from '../identity/identity-store.ts';
import { installTrust, loadTrust } from '../identity/trust-store.ts';

/** Makes what a device needs before its first start; a second run changes nothing and shows the same. */
export async function factoryInit(
  config: AgentConfig,
  flags: { trust?: string; hardwareVersion?: string; hardwareVariant: string; json?: boolean },
): Promise<void> {
  const paths = devicePaths(config.stateDir);
  // The trust file first: without one there is no device to register.
  if (flags.trust === undefined) loadTrust(paths.trust);
  else installTrust(paths.trust, flags.trust);
  if (config.simulateBoard !== undefined) ensureSimulatedSerial(config.simulateBoard);
  const local = openLocalIdentity(config, flags.hardwareVariant, flags.hardwareVersion);
  const { identity, identityKeyHash } = local;
  const registrationLine = formatRegistrationLine({ ...identity, identityKeyHash });
  const texts = await labelTexts(local);
  if (flags.json === true) {
    return print(JSON.stringify({ ...identity, identityKeyHash, registrationLine, ...texts }));
  }
  print(`Register this device in the cloud with this line (nothing of it is secret):

${registrationLine}

Setup code, for the label and for nobody else:

${texts.setupCode}
`);
}

/** Shows what belongs on the label. */
export async function label(config: AgentConfig, flags: { json?: boolean }): Promise<void> {
  const texts = await labelTexts(openLocalIdentity(config));
  if (flags.json === true) return print(JSON.stringify(texts));
  print(`Setup code:  ${texts.setupCode}\nQR code:     ${texts.label}`);
}

async function labelTexts({ identity, setupCodeHex }: LocalIdentity) {
  const { formatLabel, formatSetupCode } = await import('@ares/protocol/ble');
  const setupCode = Buffer.from(setupCodeHex, 'hex');
  return {
    setupCode: formatSetupCode(setupCode),
    label: formatLabel({ uuid: identity.deviceUuid, setupCode }),
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
