import { formatRegistrationLine } from '@ares/protocol';
import { openControlSocket } from '../adapters/control-socket.ts';
import { openLocalIdentity } from '../compose.ts';
import type { AgentConfig } from '../config.ts';
import { ensureSimulatedSerial } from '../identity/board.ts';
import { type DevicePaths, devicePaths } from '../identity/device-paths.ts';
import { adoptTrust, installTrust } from '../identity/trust-store.ts';
import { readFileIfThere, removeDurableFile } from '../store/durable-file.ts';
import { CliError } from './errors.ts';
import { labelTexts } from './label.ts';

/** Makes what a device needs before its first start; a second run changes nothing and shows the same. */
export async function factoryInit(
  config: AgentConfig,
  flags: {
    trust?: string;
    hardwareVersion?: string;
    hardwareVariant?: string;
    newIdentity?: boolean;
    json?: boolean;
  },
): Promise<void> {
  const paths = devicePaths(config.stateDir);
  if (flags.newIdentity === true) await forgetIdentity(paths);
  // The trust file first: without one there is no device to register.
  if (flags.trust === undefined) adoptTrust(paths.trust);
  else installTrust(paths.trust, flags.trust);
  if (config.simulateBoard !== undefined) ensureSimulatedSerial(config.simulateBoard);
  const local = openLocalIdentity(config, flags.hardwareVariant, flags.hardwareVersion);
  const { identity, identityKeyHash } = local;
  mustFit(paths.identity, 'version', flags.hardwareVersion, identity.hardwareVersion);
  mustFit(paths.identity, 'variant', flags.hardwareVariant, identity.hardwareVariant);
  const registrationLine = formatRegistrationLine({ ...identity, identityKeyHash });
  const texts = labelTexts(local);
  if (flags.json === true) {
    return print(JSON.stringify({ ...identity, identityKeyHash, registrationLine, ...texts }));
  }
  print(`Register this device in the cloud with this line (nothing of it is secret):

${registrationLine}

Setup code, for the label and for nobody else (its QR code: ares-agent label):

${texts.setupCode}
`);
}

/**
 * For a card that was copied after its first start, whose UUID and key are another device's as well.
 * @throws {CliError} when the device has, or may have, an owner
 */
async function forgetIdentity(paths: DevicePaths): Promise<void> {
  if (readFileIfThere(paths.identity) === undefined) return;
  // Who holds this socket is the only agent of the directory.
  const control = await openControlSocket({ path: paths.controlSocket, handle: async () => undefined });
  try {
    const begun = [paths.credentials, paths.pendingCredentials, paths.provisioning, paths.reset];
    const used = begun.find((path) => readFileIfThere(path) !== undefined);
    if (used !== undefined) {
      throw new CliError(
        `This device is in use (${used}): "ares-agent reset" it first, then run this again.`,
      );
    }
    for (const path of [paths.identity, paths.identityKey, paths.setupCode]) removeDurableFile(path);
  } finally {
    await control.close();
  }
}

/** An identity that the first start of the service made is never replaced in silence. */
function mustFit(path: string, what: string, wanted: string | undefined, present: string): void {
  if (wanted === undefined || wanted === present) return;
  throw new CliError(
    `This device has its identity already, with the hardware ${what} "${present}". If it is not registered yet, stop the agent, remove ${path} and run this again.`,
  );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
