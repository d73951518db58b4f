import type { DeviceComponents } from '@ares/protocol/http/device';

/** Where the list of attached components comes from: the cloud, asked through a short-lived child. */
export interface ComponentSource {
  /** The present list. @throws {CloudApiError} when the cloud cannot be asked or refuses */
  fetch(signal?: AbortSignal): Promise<DeviceComponents>;
}
