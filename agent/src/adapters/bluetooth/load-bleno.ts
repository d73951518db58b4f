import { type BlenoLibrary, type LoadBleno, RadioError } from './library.ts';

/** `@stoprocent/bleno`: several connections, each callback with its handle. */
export const loadStoprocentBleno: LoadBleno = async (adapter) => {
  const module = await load(adapter, () => import('@stoprocent/bleno'));
  // Its types leave out what it exports besides the default, which would open an adapter by itself.
  const { withBindings } = module as unknown as { withBindings: (kind: 'hci', options: object) => unknown };
  return {
    library: withBindings('hci', { deviceId: adapter.index }) as BlenoLibrary,
    passesHandles: true,
  };
};

/** `@abandonware/bleno`: one connection, callbacks without handle. */
export const loadAbandonwareBleno: LoadBleno = async (adapter) => {
  const module = await load(adapter, () => import('@abandonware/bleno'));
  return { library: (module as { default: unknown }).default as BlenoLibrary, passesHandles: false };
};

/** Both libraries read their settings from the environment, one as it is loaded. */
async function load(
  { index, channel, name }: Parameters<LoadBleno>[0],
  importLibrary: () => Promise<unknown>,
): Promise<unknown> {
  process.env.BLENO_HCI_DEVICE_ID = String(index);
  // Otherwise phones are told the name of the computer.
  process.env.BLENO_DEVICE_NAME = name;
  if (channel === 'user') process.env.HCI_CHANNEL_USER = '1';
  else delete process.env.HCI_CHANNEL_USER;
  // They print advice; standard output belongs to the messages for the agent.
  console.log = console.error;
  try {
    return await importLibrary();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EAFNOSUPPORT' || /address family/i.test(message))
      throw new RadioError(
        'NOT_WORKING',
        'The kernel has no Bluetooth, or this service may not use it (RestrictAddressFamilies without AF_BLUETOOTH).',
        { cause },
      );
    throw new RadioError(
      'NO_LIBRARY',
      `The Bluetooth library cannot be loaded: ${message.split('\n', 1)[0]}. Is it installed and built for this board?`,
      { cause },
    );
  }
}
