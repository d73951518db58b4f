import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError, type Registration } from '@ares/protocol';

/** Random UUIDs do not collide; a caller that gave one, or a card that was copied, does. */
const TRIES = 5;

/** A device that exists only on paper, with an identity as a real one makes it. */
export interface MockDevice extends Registration {
  /** PKCS#8 PEM of its identity key, for tests that act as this device. */
  readonly identityKeyPem: string;
}

export function drawMockDevice(hardware: {
  readonly hardwareVersion: string;
  readonly hardwareVariant: string;
}): MockDevice {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return {
    ...hardware,
    // Boards have serial numbers of 16 digits that begin with zeros; these can be told from them.
    cpuSerial: `f0${randomBytes(7).toString('hex')}`,
    deviceUuid: randomUUID(),
    identityKeyHash: createHash('sha256').update(spki).digest('hex'),
    identityKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/**
 * Registers a device; when another one has its UUID already, draws a new one and tries again by itself.
 * @param send registers it at the cloud
 * @throws {ProblemError} what `send` throws otherwise, or UUID_TAKEN at the last try
 */
export async function registerWithFreshUuid<D extends { readonly deviceUuid: string }>(
  device: D,
  send: (device: D) => Promise<unknown>,
  drawUuid: () => string = randomUUID,
): Promise<D> {
  for (let attempt = device, tries = 1; ; tries += 1) {
    try {
      await send(attempt);
      return attempt;
    } catch (error) {
      const isTaken = error instanceof ProblemError && error.code === 'UUID_TAKEN';
      if (!isTaken || tries === TRIES) throw error;
      attempt = { ...attempt, deviceUuid: drawUuid() };
    }
  }
}

/** Keeps the keys of mock devices in `<home>/mock/<uuid>.json`, mode 0600. */
export async function saveMockDevice(home: string, device: MockDevice): Promise<string> {
  const folder = join(home, 'mock');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${device.deviceUuid}.json`);
  await writeFile(file, `${JSON.stringify(device, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  return file;
}
