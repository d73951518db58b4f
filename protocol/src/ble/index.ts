export type { WifiSettings } from '../wifi.ts';
export {
  type BleLink,
  type ConnectOptions,
  connectDevice,
  type DeviceConnection,
  type RequestOptions,
} from './client.ts';
export {
  type BleErrorResponse,
  type BleRequest,
  type BleRequestOf,
  type BleRequestType,
  type BleResponse,
  type BleResponseOf,
  isRequestAllowed,
  PROVISIONING_STEPS,
  type ProvisioningStep,
  type StepReport,
  type WifiNetwork,
} from './conversation.ts';
export { type BleDeviceState, DEVICE_STATES } from './device-states.ts';
export {
  BleError,
  type BleErrorCode,
  DEVICE_ERROR_CODES,
  type DeviceErrorCode,
  LOCAL_ERROR_CODES,
  STEP_ERROR_CODES,
  type StepErrorCode,
} from './errors.ts';
export { encodeFrame, FrameDecoder, type FrameResult } from './frames.ts';
export {
  BACKOFF_MAX_MS,
  BACKOFF_MIN_MS,
  type DeviceInfo,
  decodeInfo,
  encodeInfo,
  FIRST_MESSAGE_TIMEOUT_MS,
  HANDSHAKE_BAD_FRAME,
  HANDSHAKE_REFUSED,
  INFO_CHARACTERISTIC_UUID,
  MAX_MESSAGE_BYTES,
  MIN_MTU_PAYLOAD,
  PROTOCOL_VERSION,
  REQUEST_CHARACTERISTIC_UUID,
  RESPONSE_CHARACTERISTIC_UUID,
  SERVICE_UUID,
} from './gatt.ts';
export { encodeRequest, encodeResponse, MAX_JSON_BYTES, parseRequest, parseResponse } from './messages.ts';
export { CipherState, NOISE_PROTOCOL, NoiseInitiator, NoiseResponder, type RandomBytes } from './noise.ts';
export { DeviceSession, type DeviceSessionPorts, type SessionCloseReason } from './session.ts';
export {
  deriveSessionKey,
  formatLabel,
  formatSetupCode,
  generateSetupCode,
  parseLabel,
  parseSetupCode,
  sessionPrologue,
} from './setup-code.ts';
export { encodeRecord, RecordDecoder, type SimulatedRecord } from './simulated-link.ts';
