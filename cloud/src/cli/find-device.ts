import { allItems, type Client } from '@ares/protocol/http';
import { CliError } from './cli-error.ts';

type Device = Awaited<ReturnType<Client['listDevices']>>['items'][number];

/** A device by its UUID, the beginning of it, or its nickname. */
export async function findDevice(client: Client, wanted: string): Promise<Device> {
  // A nickname is searched for as it is; of a UUID the beginning is enough.
  const items = await allItems((cursor) =>
    client.listDevices({ query: { cursor, text: wanted.trim().slice(0, 80) || undefined, limit: 200 } }),
  );
  const fits = items.filter(
    ({ deviceUuid, nickname }) => deviceUuid.startsWith(wanted) || nickname === wanted,
  );
  if (fits.length === 1 && fits[0] !== undefined) return fits[0];
  if (fits.length > 1) throw new CliError(`${wanted} fits ${fits.length} devices. Write more of the id.`);
  throw new CliError(`No device ${wanted}. See: npm run ares -- device list`);
}
