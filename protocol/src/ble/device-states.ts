/**
 * What the device can do for an app. The index in this list is the byte in `info`.
 * `claimable`: has no owner · `provisioning`: a transaction runs · `provisioned`: works for its owner ·
 * `recovery-needed`: its certificate was revoked · `resetting`: is wiping itself.
 */
export const DEVICE_STATES = [
  'claimable',
  'provisioning',
  'provisioned',
  'recovery-needed',
  'resetting',
] as const;
export type BleDeviceState = (typeof DEVICE_STATES)[number];
