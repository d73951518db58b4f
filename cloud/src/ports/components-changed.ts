/** Tells a connected device that its list of components changed, so that it fetches it again. */
export interface ComponentsChangedPublisher {
  /**
   * Signs and publishes the order `components+jwt`. Best effort: a device that is not connected fetches its
   * components when it starts, so a failure is logged and never thrown.
   */
  publish(change: { readonly deviceUuid: string; readonly revision: number }): Promise<void>;
}
