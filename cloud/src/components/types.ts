import type { AttachedComponent } from '@ares/protocol';

/** A component to attach; the cloud gives it its id. */
export type NewComponent = Pick<AttachedComponent, 'componentType' | 'pins' | 'config'> & {
  readonly name?: string | undefined;
};
