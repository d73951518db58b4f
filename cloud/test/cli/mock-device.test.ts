import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { formatRegistrationLine, isUuid, ProblemError, parseRegistrationLine } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { drawMockDevice, registerWithFreshUuid } from '../../src/cli/mock-device.ts';

const hardware = { hardwareVersion: 'pi-4', hardwareVariant: 'standard' };
const taken = () => new ProblemError('UUID_TAKEN', 'Another device has it.');

describe('a device on paper', () => {
  it('is registered like one from the factory, by the hash of a key that it has', () => {
    const device = drawMockDevice(hardware);
    expect(parseRegistrationLine(formatRegistrationLine(device)).ok).toBe(true);
    const spki = createPublicKey(createPrivateKey(device.identityKeyPem)).export({
      type: 'spki',
      format: 'der',
    });
    expect(device.identityKeyHash).toBe(createHash('sha256').update(spki).digest('hex'));
  });

  it('draws a new UUID when another device has its own, and keeps serial number and key', async () => {
    const sent: string[] = [];
    const device = drawMockDevice(hardware);
    const registered = await registerWithFreshUuid(device, async ({ deviceUuid }) => {
      sent.push(deviceUuid);
      if (sent.length < 3) throw taken();
    });
    expect(new Set(sent).size).toBe(3);
    expect(sent.every(isUuid)).toBe(true);
    expect(registered).toEqual({ ...device, deviceUuid: sent[2] });
  });

  it('gives up after five, and at once for any other problem', async () => {
    let tries = 0;
    const failing = (error: Error) => async () => {
      tries += 1;
      throw error;
    };
    await expect(registerWithFreshUuid(drawMockDevice(hardware), failing(taken()))).rejects.toThrow(
      'Another',
    );
    expect(tries).toBe(5);
    const known = new ProblemError('ALREADY_PREREGISTERED', 'Known.');
    await expect(registerWithFreshUuid(drawMockDevice(hardware), failing(known))).rejects.toThrow('Known');
    expect(tries).toBe(6);
  });
});
