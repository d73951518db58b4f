/** Most bytes of an advertisement, and of a scan response. */
export const MAX_ADVERTISEMENT_BYTES = 31;

const FLAGS = 0x01;
const ALL_128_BIT_SERVICES = 0x07;
const COMPLETE_NAME = 0x09;
/** Found by everyone; no classic Bluetooth. */
const LE_ONLY_GENERAL = 0x06;

/** What phones find without asking: that this is a device of Ares. */
export function advertisement(serviceUuid: string): Buffer {
  const uuid = Buffer.from(serviceUuid.replaceAll('-', ''), 'hex').reverse();
  return checked([field(FLAGS, Buffer.from([LE_ONLY_GENERAL])), field(ALL_128_BIT_SERVICES, uuid)]);
}

/** What phones are told on request: a name to show in a list. */
export function scanResponse(name: string): Buffer {
  return checked([field(COMPLETE_NAME, Buffer.from(name, 'utf8'))]);
}

/** A name by which an owner of several devices tells them apart: the last four digits of the UUID. */
export function advertisedName(deviceUuid: string): string {
  return `Ares ${deviceUuid.slice(-4).toUpperCase()}`;
}

function field(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([content.length + 1, type]), content]);
}

function checked(fields: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(fields);
  if (bytes.length > MAX_ADVERTISEMENT_BYTES)
    throw new RangeError(`an advertisement holds ${MAX_ADVERTISEMENT_BYTES} bytes, not ${bytes.length}`);
  return bytes;
}
