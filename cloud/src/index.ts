/** The cloud as a library: compose it in another program, as `npm start` and the tests do. */
export { type Cloud, composeCloud } from './compose.ts';
export { type CloudConfig, ConfigError, demoConfig, readConfig } from './config.ts';
