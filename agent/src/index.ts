export { type Agent, compose } from './compose.ts';
export { type AgentConfig, ConfigError, loadConfig, type Settings } from './config.ts';
export type { DeviceStatus } from './lifecycle/status.ts';
export { agentVersion } from './version.ts';
