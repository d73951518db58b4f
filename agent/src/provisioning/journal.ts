import { parseWith } from '@ares/protocol';
import * as z from 'zod/mini';
import { readFileIfThere, removeDurableFile, writeDurableFile } from '../store/durable-file.ts';
import { PROVISIONING_STEPS } from './steps.ts';

const journalSchema = z.strictObject({
  v: z.literal(1),
  /** Absent: the device keeps the network that it has. */
  wifi: z.optional(z.strictObject({ ssid: z.string(), password: z.optional(z.string()) })),
  apiUrl: z.string(),
  claim: z.strictObject({ claimId: z.string(), nonce: z.string() }),
  /** The phone's clock in epoch ms: a floor for the device's. */
  phoneTime: z.number(),
  /** The step that begins next, or `commit` when the transaction can only go forward. */
  step: z.enum([...PROVISIONING_STEPS, 'commit']),
  /** Time that earlier processes spent on it, ms. */
  spentMs: z.number(),
});
/** An onboarding under way, saved before each of its steps. */
export type ProvisioningJournal = z.infer<typeof journalSchema>;

export interface ProvisioningJournalStore {
  /** `undefined`: none, or one that cannot be read, which is as good as none: it is rolled back. */
  load(): ProvisioningJournal | undefined;
  save(journal: ProvisioningJournal): void;
  remove(): void;
}

export function createProvisioningJournalStore(path: string): ProvisioningJournalStore {
  return {
    load() {
      try {
        const parsed = parseWith(journalSchema, JSON.parse(readFileIfThere(path) ?? 'null'));
        return parsed.ok ? parsed.value : undefined;
      } catch {
        return undefined;
      }
    },
    save: (journal) => writeDurableFile(path, JSON.stringify(journal)),
    remove: () => removeDurableFile(path),
  };
}
