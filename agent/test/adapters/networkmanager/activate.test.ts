import { expect, it, vi } from 'vitest';
import { activate } from '../../../src/adapters/networkmanager/activate.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

it('joins nothing, and does not hang, when it was called off before it began', async () => {
  const run = vi.fn();
  const calledOff = AbortSignal.abort(new Error('called off'));
  const wish = {
    uuid: 'u',
    interfaceName: 'wlan0',
    ssid: 'basil',
    passphrase: 'tomatoes',
    signal: calledOff,
  };
  const joining = activate({ run, clock: createFakeClock() }, { ...wish, joined: async () => false });
  await expect(joining).rejects.toThrow('called off');
  expect(run).not.toHaveBeenCalled();
});
