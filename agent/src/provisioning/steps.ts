import type { ProvisioningStep } from '@ares/protocol/ble';

/**
 * Steps of an onboarding, in their order. The list stands here too because the resident process imports only types
 * of the Bluetooth conversation, which would bring its cryptography along; a test compares the two.
 */
export const PROVISIONING_STEPS = [
  'wifi',
  'address',
  'clock',
  'dns',
  'tls',
  'claim',
  'certificate',
  'first-reading',
] as const satisfies readonly ProvisioningStep[];
