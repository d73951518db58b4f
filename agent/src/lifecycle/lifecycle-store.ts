import { parseWith } from '@ares/protocol';
import * as z from 'zod/mini';
import { readFileIfThere, writeDurableFile } from '../store/durable-file.ts';
import type { LifecycleState } from './transitions.ts';

const states = [
  'UNPROVISIONED',
  'PROVISIONING',
  'OPERATING',
  'RECOVERY_NEEDED',
  'BLOCKED',
  'RESETTING',
] as const;

const recordSchema = z.strictObject({
  v: z.literal(1),
  state: z.enum(states satisfies readonly LifecycleState[]),
  /** Epoch ms of the device's clock, trusted or not; for people. */
  since: z.number(),
  /** One sentence for people. */
  why: z.string(),
  /** Where the device was claimed: outlives damaged credentials, so that they can be asked for again. */
  cloud: z.nullable(z.strictObject({ apiUrl: z.string(), assignment: z.int() })),
});
/** The durable record of where in its life the device is. */
export type LifecycleRecord = z.infer<typeof recordSchema>;

export interface LifecycleStore {
  load(): LifecycleRecord | undefined;
  save(record: LifecycleRecord): void;
}

/**
 * @param evidence what the other files say, asked when there is no readable record: a device that lost this one file
 *   is neither claimable by a stranger nor lost for its owner
 */
export function createLifecycleStore(path: string, evidence: () => LifecycleState): LifecycleStore {
  return {
    load() {
      const text = readFileIfThere(path);
      if (text === undefined && evidence() === 'UNPROVISIONED') return undefined;
      const parsed = parseWith(recordSchema, parseJson(text));
      if (parsed.ok) return parsed.value;
      const why = 'The record of the state could not be read; the other files say this.';
      return { v: 1, state: evidence(), since: 0, why, cloud: null };
    },
    save: (record) => writeDurableFile(path, JSON.stringify(record)),
  };
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
