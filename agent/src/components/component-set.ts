import { type AttachedComponent, type ComponentHealth, checkPins } from '@ares/protocol';
import type { DeviceComponents } from '@ares/protocol/http/device';
import { type ComponentPorts, ComponentRuntime } from './component-runtime.ts';

interface Entry {
  /** What it was made from: a different one is another component. */
  readonly key: string;
  readonly runtime: ComponentRuntime;
}

/** The components at work. A new list stops and starts only what is different in it. */
export class ComponentSet {
  readonly #ports: ComponentPorts;
  #entries = new Map<number, Entry>();
  #applying: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(ports: ComponentPorts) {
    this.#ports = ports;
  }

  /** One list after the other; settles when what left has stopped and what came is starting. */
  apply(list: DeviceComponents): Promise<void> {
    const applied = this.#applying.then(() => this.#apply(list));
    // A list that cannot be applied must not keep the next one, or the end, from happening.
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  get(componentId: number): ComponentRuntime | undefined {
    return this.#entries.get(componentId)?.runtime;
  }

  get all(): readonly ComponentRuntime[] {
    return [...this.#entries.values()].map(({ runtime }) => runtime);
  }

  get health(): ComponentHealth[] {
    return this.all.map(({ health }) => health).filter((health) => health !== undefined);
  }

  /** Settles when the present components have shown whether they work. */
  async settled(): Promise<void> {
    await this.#applying;
    await Promise.all(this.all.map(({ settled }) => settled));
  }

  /** Every output safe, every driver stopped. Waits for no list that is being applied. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.#applying, ...this.all.map((runtime) => runtime.stop())]);
  }

  async #apply(list: DeviceComponents): Promise<void> {
    if (this.#stopped) return;
    const refusals = new Map<number, string>();
    const problems = checkPins({ components: list.items, types: list.types, rules: list.rules });
    for (const { componentId, detail } of problems)
      if (!refusals.has(componentId)) refusals.set(componentId, detail);
    const keyOf = (item: AttachedComponent) => JSON.stringify([item, refusals.get(item.componentId)]);

    const next = new Map<number, Entry>();
    for (const item of list.items) {
      const present = this.#entries.get(item.componentId);
      if (present?.key === keyOf(item)) next.set(item.componentId, present);
    }
    // What leaves lets go of its lines before what comes takes them.
    const leaving = [...this.#entries.values()].filter(
      ({ runtime }) => next.get(runtime.component.componentId)?.runtime !== runtime,
    );
    await Promise.all(leaving.map(({ runtime }) => runtime.stop()));
    if (this.#stopped) return;

    const coming = list.items.filter((item) => !next.has(item.componentId));
    for (const item of coming)
      next.set(item.componentId, { key: keyOf(item), runtime: new ComponentRuntime(item, this.#ports) });
    this.#entries = next;
    for (const { componentId } of coming) {
      const runtime = next.get(componentId)!.runtime;
      const refusal = refusals.get(componentId);
      if (refusal === undefined) runtime.start();
      else runtime.refuse(refusal);
    }
  }
}
