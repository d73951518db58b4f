/** How the simulated greenhouse is wired when nothing else is said: the parts that `npm start` attaches. */
export const defaultWiring = {
  /** BCM line of the relay. */
  pump: 17,
  led: 27,
  dht22: 4,
  /** Channel of the converter. */
  soilMoisture: 0,
} as const;

/** Lines of a board, by BCM number. */
export const boardLines: readonly number[] = Array.from({ length: 28 }, (_, bcm) => bcm);
