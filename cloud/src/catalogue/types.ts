import type { CatalogueEntry } from '@ares/protocol';

/** A row with the version of its edits. */
export type Versioned<T> = T & { readonly version: number };

export interface HardwareVariant {
  readonly variantId: number;
  readonly hardwareVersion: string;
  readonly hardwareVariant: string;
  readonly description: string | null;
  readonly createdAt: Date;
}

/** On which lines of a variant a line of a component type may sit. */
export interface VariantPinRule {
  readonly configId: number;
  readonly variantId: number;
  readonly hardwareVersion: string;
  readonly hardwareVariant: string;
  readonly componentType: string;
  readonly role: string;
  readonly pins: readonly number[];
}

export interface TypeQuery {
  readonly kind?: CatalogueEntry['kind'] | undefined;
  readonly builtIn?: boolean | undefined;
  /** Part of the name. */
  readonly text?: string | undefined;
  /** Name of the last one of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface VariantQuery {
  readonly hardwareVersion?: string | undefined;
  /** Version, variant of the last one of the page before. */
  readonly after?: readonly [string, string] | undefined;
  readonly limit: number;
}

export interface RuleQuery {
  readonly hardwareVersion?: string | undefined;
  readonly hardwareVariant?: string | undefined;
  readonly componentType?: string | undefined;
  /** `configId` of the last one of the page before. */
  readonly after?: number | undefined;
  readonly limit: number;
}
