import { useEffect, useState } from 'preact/hooks';

export interface Store<S, A> {
  get(): S;
  send(action: A): void;
  subscribe(changed: () => void): () => void;
}

/** State that changes only by actions through a pure reducer. */
export function createStore<S, A>(initial: S, reduce: (state: S, action: A) => S): Store<S, A> {
  let state = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => state,
    send(action) {
      const next = reduce(state, action);
      if (next === state) return;
      state = next;
      for (const changed of listeners) changed();
    },
    subscribe(changed) {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
  };
}

/** The present state; renders again whenever it changes. */
export function useStore<S, A>(store: Store<S, A>): S {
  const [state, setState] = useState(store.get());
  useEffect(() => {
    setState(store.get());
    return store.subscribe(() => setState(store.get()));
  }, [store]);
  return state;
}
