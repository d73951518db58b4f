import type { AttachedComponent } from '@ares/protocol';

/** What may be changed of a component that is attached; what is absent stays. */
export interface ComponentEdit {
  readonly name?: string | null | undefined;
  readonly config?: Record<string, unknown> | undefined;
}

/** A component to attach; the cloud gives it its id. */
export type NewComponent = Pick<AttachedComponent, 'componentType' | 'pins' | 'config'> & {
  readonly name?: string | undefined;
};
