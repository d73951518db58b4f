/** Version of the agent, as its birth and `status` name it. */
export const agentVersion = '0.1.0';

/** When this version was released, epoch ms: no clock is right that shows less. */
export const agentReleasedAt = Date.UTC(2026, 10, 20);
