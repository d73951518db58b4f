import type { BleDeviceState, BleResponse, DeviceErrorCode } from '@ares/protocol/ble';
import { requestSchemas } from '@ares/protocol/ble/conversation';
import * as z from 'zod/mini';

/** From the resident process to the child that owns the radio. */
export type ToBleChild =
  | { readonly type: 'state'; readonly state: BleDeviceState }
  | { readonly type: 'answer'; readonly id: number; readonly response: BleResponse }
  | {
      readonly type: 'refusal';
      readonly id: number;
      readonly code: DeviceErrorCode;
      readonly detail: string;
    }
  /** Nobody new is let in; a session that stands may read on for `lingerMs`. Then the child ends. */
  | { readonly type: 'finish'; readonly lingerMs: number };

const text = z.string().check(z.maxLength(4_096));

/**
 * From that child. Read as what a stranger says: the child parses what anybody within range sends, and whoever breaks
 * it must find nothing here that believes it.
 */
export const fromBleChildSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('open') }),
  z.strictObject({ type: z.literal('unavailable'), detail: text }),
  z.strictObject({
    type: z.literal('request'),
    id: z.int(),
    request: z.discriminatedUnion('type', [
      requestSchemas.identity,
      requestSchemas['wifi-scan'],
      requestSchemas.provision,
      requestSchemas.status,
      requestSchemas.recover,
      requestSchemas['wifi-change'],
    ]),
  }),
  z.strictObject({ type: z.literal('confirmed') }),
  z.strictObject({ type: z.literal('failed-session'), reason: text, failuresInARow: z.int() }),
]);
export type FromBleChild = z.infer<typeof fromBleChildSchema>;
