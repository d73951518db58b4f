/** Runs works on one device one after another; those on different devices do not wait for each other. */
export function createTurns(): <T>(deviceUuid: string, work: () => Promise<T>) => Promise<T> {
  const tails = new Map<string, Promise<unknown>>();
  return (deviceUuid, work) => {
    const turn = (tails.get(deviceUuid) ?? Promise.resolve()).then(work);
    const tail = turn.catch(() => undefined);
    tails.set(deviceUuid, tail);
    void tail.then(() => {
      if (tails.get(deviceUuid) === tail) tails.delete(deviceUuid);
    });
    return turn;
  };
}
