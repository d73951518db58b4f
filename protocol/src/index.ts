export {
  type ActionDefinition,
  type AttachedComponent,
  attachedComponentSchema,
  builtInComponentTypes,
  type CatalogueEntry,
  type ComponentTypeChange,
  type ComponentTypeDefinition,
  componentTypeDefinitionSchema,
  type MetricDefinition,
} from './components.ts';
export { describeLine, type HeaderLine, headerLine, headerLines, type LineUse } from './header.ts';
export {
  bootIdSchema,
  componentIdSchema,
  componentTypeSchema,
  cpuSerialSchema,
  hardwareVersionSchema,
  isUuid,
  normalizeEmail,
  spkiHashSchema,
  uuidSchema,
} from './ids.ts';
export {
  type Acknowledgement,
  parseAcknowledgement,
  type ReadingProblem,
  toRanges,
} from './messages/acknowledgement.ts';
export {
  type CommandOutcome,
  type CommandProblem,
  type CommandResult,
  type CommandStatusMessage,
  parseCommandStatus,
} from './messages/command-status.ts';
export { type ConnectionMessage, parseConnectionMessage } from './messages/connection.ts';
export type { DeviceCounters } from './messages/counters.ts';
export { MESSAGE_VERSION, type MessageHeader, SENT_AT_TOLERANCE_MS } from './messages/header.ts';
export {
  type ComponentHealth,
  EARLIEST_MEASURED_AT_MS,
  MAX_READINGS_PER_MESSAGE,
  parseReading,
  parseTelemetryEnvelope,
  type Reading,
  type TelemetryEnvelope,
  type TelemetryMessage,
} from './messages/telemetry.ts';
export {
  type CommandClaims,
  type ComponentsChangedClaims,
  type OrderType,
  orderTypes,
  parseCommandClaims,
  parseComponentsChangedClaims,
  parseResetClaims,
  parseStandingClaims,
  parseTimeClaims,
  parseWifiChangeClaims,
  type ResetClaims,
  type Standing,
  type StandingClaims,
  safeActions,
  type TimeClaims,
  WIFI_CHANGE_KEY_INFO,
  type WifiChangeClaims,
} from './orders/claims.ts';
export { describeIssues, type Issue, type Parsed, parseWith } from './parse.ts';
export {
  anyHeaderPin,
  checkPins,
  headerPins,
  type PinProblem,
  type PinProblemCode,
  type PinRule,
  pinRuleSchema,
  reservedPins,
} from './pins.ts';
export {
  type ProblemCode,
  type ProblemDetails,
  ProblemError,
  type ProblemIssue,
  problemCodes,
  problems,
} from './problems.ts';
export {
  formatRegistrationLine,
  parseRegistrationLine,
  type Registration,
  registrationSchema,
} from './registration-line.ts';
export {
  MAX_SIGNED_MESSAGE_BYTES,
  type Mac,
  type Opened,
  type OpenProblem,
  openSignedMessage,
  SIGNED_PREFIX_LENGTH,
  signMessage,
} from './signed-message.ts';
export {
  type ComponentState,
  type ComponentStatus,
  type DeviceStatus,
  type StateDocument,
  stateKeyOf,
} from './state-document.ts';
export {
  appRights,
  deviceRights,
  filterMatches,
  reservedComponentTypes,
  type Topic,
  topics,
} from './topics.ts';
export { parseTrustFile, publicKeySchema, type TrustFile } from './trust.ts';
export {
  parseWifiSettings,
  passphraseSchema,
  ssidSchema,
  type WifiSettings,
  wifiSettingsSchema,
} from './wifi.ts';
