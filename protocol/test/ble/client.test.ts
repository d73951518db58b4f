import { describe, expect, it } from 'vitest';
import { connectDevice, formatSetupCode } from '../../src/ble/index.ts';
import { FakeDevice, IDENTITY_HASH, SETUP_CODE, seededRandom, UUID } from './support.ts';

const random = seededRandom(7).bytes;
const setupCode = formatSetupCode(SETUP_CODE);

describe('an app with the right setup code', () => {
  it('reads the identity and provisions', async () => {
    const device = new FakeDevice();
    const phone = await connectDevice({ link: device.link(), setupCode, random });
    expect(phone.info).toEqual({ v: 1, uuid: UUID, state: 'claimable' });
    expect((await phone.identity()).identityKeyHash).toBe(IDENTITY_HASH);
    const body = {
      wifi: { ssid: 'Greenhouse', password: 'tomatoes!' },
      apiUrl: 'https://cloud.example:8443',
      claimId: '1',
      nonce: 'n'.repeat(22),
      phoneTime: 1_790_000_000_000,
    };
    expect(await phone.provision(body)).toEqual({ type: 'provision' });
    expect(device.handled.at(-1)).toEqual({ type: 'provision', ...body });
    expect(device.confirmations).toBe(1);
  });
});
