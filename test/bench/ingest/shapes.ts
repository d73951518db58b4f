/** Unacknowledged messages of all devices together: what 200 agents have under way at most. */
export const IN_FLIGHT = 800;

/** What devices send, and how many messages of all devices a run takes; fewer where each is a commit of its own. */
export const shapes = [
  { name: 'ten readings a message', readingsPerMessage: 10, messages: 100_000, perCommit: 10_000 },
  { name: 'one reading a message', readingsPerMessage: 1, messages: 200_000, perCommit: 20_000 },
] as const;

export type Shape = (typeof shapes)[number];
