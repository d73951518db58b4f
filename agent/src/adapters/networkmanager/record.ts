import * as z from 'zod/mini';
import { readFileIfThere, writeDurableFile } from '../../store/durable-file.ts';

const recordSchema = z.strictObject({
  v: z.literal(1),
  /** Whether a profile of ours may lie in NetworkManager, so that forgetting needs it. */
  kept: z.boolean(),
  trial: z.nullable(
    z.strictObject({
      uuid: z.string(),
      devicePath: z.string(),
      /** UUID of the profile before; absent when there was none. */
      before: z.optional(z.string()),
      /** The checkpoint, `null` between asking for it and knowing it. */
      checkpoint: z.nullable(z.strictObject({ path: z.string(), created: z.number() })),
      /** The network is chosen for good; only the checkpoint is left to drop. */
      committed: z.boolean(),
    }),
  ),
});
/** What a process must know of a trial that another one began. */
export type WifiRecord = z.infer<typeof recordSchema>;
export type WifiTrial = NonNullable<WifiRecord['trial']>;

const EMPTY: WifiRecord = { v: 1, kept: false, trial: null };

/** The record in one file. One that cannot be read says that something may be left to forget. */
export function createWifiRecord(path: string): { load(): WifiRecord; save(record: WifiRecord): void } {
  return {
    load() {
      const text = readFileIfThere(path);
      if (text === undefined) return EMPTY;
      try {
        const parsed = recordSchema.safeParse(JSON.parse(text));
        return parsed.success ? parsed.data : { ...EMPTY, kept: true };
      } catch {
        return { ...EMPTY, kept: true };
      }
    },
    save: (record) => writeDurableFile(path, JSON.stringify(record)),
  };
}
