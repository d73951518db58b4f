/** Version of the agent, as its birth and `status` name it. */
export const agentVersion = '0.1.0';
