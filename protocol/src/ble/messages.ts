import type * as z from 'zod/mini';
import { ssidSchema } from '../wifi.ts';
import {
  type BleErrorResponse,
  type BleRequest,
  type BleRequestType,
  type BleResponse,
  type BleResponseOf,
  MAX_DETAIL_LENGTH,
  requestSchemas,
  responseSchemas,
} from './conversation.ts';
import { BleError, type DeviceErrorCode } from './errors.ts';
import { MAX_MESSAGE_BYTES, PROTOCOL_VERSION } from './gatt.ts';
import { TAG_BYTES } from './noise.ts';
import { fromUtf8, toUtf8 } from './text.ts';

/*
 * One message is UTF-8 JSON: `{ "v": 1, "id": <1 … 2^31-1>, "type": …, … }`. A response repeats the id of its
 * request, or has id 0 when the request's could not be read.
 */

/** Most bytes of JSON in one message. */
export const MAX_JSON_BYTES = MAX_MESSAGE_BYTES - TAG_BYTES;

const MAX_ID = 2 ** 31 - 1;

export type ParsedRequest =
  | { readonly ok: true; readonly id: number; readonly request: BleRequest }
  | { readonly ok: false; readonly id: number; readonly code: DeviceErrorCode; readonly detail: string };

/** Reads a request as the device does. Never throws; `detail` names the member at fault and never its value. */
export function parseRequest(bytes: Uint8Array): ParsedRequest {
  const message = readObject(bytes);
  if (typeof message === 'string') return { ok: false, id: 0, code: 'MALFORMED_REQUEST', detail: message };
  const { v, id, type, ...rest } = message;
  if (!isId(id)) {
    return {
      ok: false,
      id: 0,
      code: 'MALFORMED_REQUEST',
      detail: `id must be a whole number from 1 to ${MAX_ID}`,
    };
  }
  if (v !== PROTOCOL_VERSION) {
    return {
      ok: false,
      id,
      code: 'UNSUPPORTED_VERSION',
      detail: `this device speaks version ${PROTOCOL_VERSION}`,
    };
  }
  if (!isRequestType(type)) {
    const known = Object.keys(requestSchemas).join(', ');
    return { ok: false, id, code: 'UNKNOWN_REQUEST', detail: `type must be one of ${known}` };
  }
  const schema: z.ZodMiniType<BleRequest> = requestSchemas[type];
  const parsed = schema.safeParse({ type, ...rest });
  if (parsed.success) return { ok: true, id, request: parsed.data };
  const issue = parsed.error.issues[0];
  return { ok: false, id, code: requestCode(issue), detail: describe(issue) };
}

/** Reads a response as the app does. @throws {BleError} RESPONSE_MALFORMED, UNSUPPORTED_VERSION */
export function parseResponse(bytes: Uint8Array): { id: number; response: BleResponse | BleErrorResponse } {
  const message = readObject(bytes);
  if (typeof message === 'string') throw new BleError('RESPONSE_MALFORMED', message);
  const { v, id, type, ...rest } = message;
  if (v !== PROTOCOL_VERSION) {
    throw new BleError('UNSUPPORTED_VERSION', `this app speaks version ${PROTOCOL_VERSION}`);
  }
  if ((id !== 0 && !isId(id)) || typeof type !== 'string' || !Object.hasOwn(responseSchemas, type)) {
    throw new BleError('RESPONSE_MALFORMED', 'the response has no id or an unknown type');
  }
  const schema: z.ZodMiniType<BleResponse | BleErrorResponse> =
    responseSchemas[type as keyof typeof responseSchemas];
  const parsed = schema.safeParse({ type, ...rest });
  if (!parsed.success) throw new BleError('RESPONSE_MALFORMED', describe(parsed.error.issues[0]));
  return { id, response: parsed.data };
}

/**
 * Bytes of a request.
 *
 * @throws {BleError} the code that the device would answer, so a mistake shows before anything is sent;
 * MESSAGE_TOO_LARGE
 */
export function encodeRequest(id: number, request: BleRequest): Uint8Array {
  const bytes = encode(id, request);
  const parsed = parseRequest(bytes);
  if (!parsed.ok) throw new BleError(parsed.code, parsed.detail);
  return bytes;
}

/**
 * Bytes of a response. Of a scan, names that cannot be asked for and the weakest that find no room are left out.
 *
 * @throws {BleError} RESPONSE_MALFORMED when the body breaks its schema; MESSAGE_TOO_LARGE
 */
export function encodeResponse(id: number, response: BleResponse | BleErrorResponse): Uint8Array {
  const body = response.type === 'wifi-scan' ? fitScan(id, response) : response;
  const schema: z.ZodMiniType<BleResponse | BleErrorResponse> = responseSchemas[body.type];
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw new BleError('RESPONSE_MALFORMED', describe(parsed.error.issues[0]));
  return encode(id, body);
}

function fitScan(id: number, response: BleResponseOf<'wifi-scan'>): BleResponseOf<'wifi-scan'> {
  const networks = response.networks
    .filter((network) => ssidSchema.safeParse(network.ssid).success)
    .sort((a, b) => b.signalDbm - a.signalDbm);
  while (write(id, { ...response, networks }).length > MAX_JSON_BYTES) networks.pop();
  return { ...response, networks };
}

function encode(id: number, body: BleRequest | BleResponse | BleErrorResponse): Uint8Array {
  const bytes = write(id, body);
  if (bytes.length > MAX_JSON_BYTES) {
    throw new BleError(
      'MESSAGE_TOO_LARGE',
      `a message has at most ${MAX_JSON_BYTES} bytes, not ${bytes.length}`,
    );
  }
  return bytes;
}

// JSON.stringify escapes lone surrogates, so this never fails; the reader's schema refuses them where they matter.
function write(id: number, body: object): Uint8Array {
  return toUtf8(JSON.stringify({ v: PROTOCOL_VERSION, id, ...body }));
}

function readObject(bytes: Uint8Array): Record<string, unknown> | string {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch {
    return 'the message is not JSON in UTF-8';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'the message is not an object';
  return value as Record<string, unknown>;
}

function isId(id: unknown): id is number {
  return Number.isInteger(id) && (id as number) >= 1 && (id as number) <= MAX_ID;
}

function isRequestType(type: unknown): type is BleRequestType {
  return typeof type === 'string' && Object.hasOwn(requestSchemas, type);
}

type Issue = z.core.$ZodIssue | undefined;

function requestCode(issue: Issue): DeviceErrorCode {
  switch (issue?.path.join('.')) {
    case 'wifi.ssid':
      return 'SSID_INVALID';
    case 'wifi.password':
      return 'PASSWORD_INVALID';
    case 'apiUrl':
      return 'API_URL_INVALID';
    default:
      return 'MALFORMED_REQUEST';
  }
}

function describe(issue: Issue): string {
  const member = issue?.path.join('.') || 'the message';
  switch (issue?.code) {
    case 'unrecognized_keys':
      return `${member} has members that it must not have: ${issue.keys.join(', ')}`.slice(
        0,
        MAX_DETAIL_LENGTH,
      );
    case 'invalid_type':
      return `${member} is missing or not of type ${issue.expected}`;
    default:
      return `${member}: ${issue?.message ?? 'is not valid'}`;
  }
}
