import { describe, expect, it } from 'vitest';
import {
  type BleRequest,
  encodeRequest,
  encodeResponse,
  MAX_JSON_BYTES,
  parseRequest,
  parseResponse,
  type WifiNetwork,
} from '../../src/ble/index.ts';
import { utf8 } from './support.ts';

const provision = {
  type: 'provision',
  wifi: { ssid: 'Greenhouse', password: 'tomatoes!' },
  apiUrl: 'https://cloud.example',
  claimId: 'c1',
  nonce: 'n'.repeat(22),
  phoneTime: 1_790_000_000_000,
} as const satisfies BleRequest;

const parse = (change: object) =>
  parseRequest(utf8(JSON.stringify({ v: 1, id: 5, ...provision, ...change })));
const withWifi = (wifi: object) => parse({ wifi });

describe('the name and password of a network', () => {
  it.each([
    'a',
    'x'.repeat(32),
    'ü'.repeat(16),
    '🌱'.repeat(8),
    `"quoted"`,
    '$(reboot)',
    '`id`',
    "a';--",
    '../../etc/passwd',
    ' spaces ',
    '%00',
    '\\n',
  ])('BLE-10 takes %j literally', (ssid) => {
    const parsed = withWifi({ ssid, password: 'p'.repeat(8) });
    expect(parsed).toMatchObject({ ok: true, request: { wifi: { ssid } } });
  });

  it.each([
    '',
    'x'.repeat(33),
    'x'.repeat(255),
    'ü'.repeat(17),
    'line\nbreak',
    'nul\0',
    'tab\t',
    '\u007f',
    '\u0085',
    '\ud800',
  ])('BLE-10 refuses %j', (ssid) => {
    expect(withWifi({ ssid })).toMatchObject({ ok: false, id: 5, code: 'SSID_INVALID' });
  });

  it('BLE-10 takes passwords of 8 to 63 bytes, or none', () => {
    for (const length of [8, 63]) expect(withWifi({ ssid: 'a', password: 'p'.repeat(length) }).ok).toBe(true);
    expect(withWifi({ ssid: 'a' }).ok).toBe(true);
    for (const password of [
      '',
      'p'.repeat(7),
      'p'.repeat(64),
      'p'.repeat(255),
      'pass\nword',
      'ü'.repeat(32),
      null,
    ]) {
      expect(withWifi({ ssid: 'a', password })).toMatchObject({ ok: false, code: 'PASSWORD_INVALID' });
    }
  });

  it('BLE-10 refuses bytes that are not UTF-8', () => {
    const bytes = utf8(JSON.stringify({ v: 1, id: 5, ...provision }));
    for (const bad of [0xff, 0xc0, 0x80, 0xed]) {
      const broken = bytes.slice();
      broken[Buffer.from(bytes).indexOf('Greenhouse')] = bad;
      expect(parseRequest(broken)).toMatchObject({ ok: false, id: 0, code: 'MALFORMED_REQUEST' });
    }
  });
});

describe('the URL of the cloud', () => {
  it.each([
    'https://cloud.example',
    'https://cloud.example:8443/base/path',
    'https://127.0.0.1:40123',
    'https://[::1]:8443',
    'https://localhost',
  ])('may be %s', (apiUrl) => expect(parse({ apiUrl }).ok).toBe(true));

  it.each([
    'http://cloud.example',
    'ftp://cloud.example',
    'https://',
    'https://user:pass@cloud.example',
    'https://cloud.example?x=1',
    'https://cloud.example#x',
    'https://cloud.example\n',
    'https://cloud example',
    `https://${'a'.repeat(260)}`,
    'javascript:alert(1)',
  ])('may not be %j', (apiUrl) => {
    expect(parse({ apiUrl })).toMatchObject({ ok: false, code: 'API_URL_INVALID' });
  });
});

describe('reading a request', () => {
  it.each([
    ['no JSON', '{"v":1', 0, 'MALFORMED_REQUEST'],
    ['nothing', '', 0, 'MALFORMED_REQUEST'],
    ['a list', '[]', 0, 'MALFORMED_REQUEST'],
    ['null', 'null', 0, 'MALFORMED_REQUEST'],
    ['no id', '{"v":1,"type":"status"}', 0, 'MALFORMED_REQUEST'],
    ['id 0', '{"v":1,"id":0,"type":"status"}', 0, 'MALFORMED_REQUEST'],
    ['a huge id', '{"v":1,"id":4294967296,"type":"status"}', 0, 'MALFORMED_REQUEST'],
    ['no version', '{"id":1,"type":"status"}', 1, 'UNSUPPORTED_VERSION'],
    ['a version as text', '{"v":"1","id":1,"type":"status"}', 1, 'UNSUPPORTED_VERSION'],
    ['no type', '{"v":1,"id":1}', 1, 'UNKNOWN_REQUEST'],
    ['an inherited type', '{"v":1,"id":1,"type":"constructor"}', 1, 'UNKNOWN_REQUEST'],
    ['the type of an answer', '{"v":1,"id":1,"type":"error"}', 1, 'UNKNOWN_REQUEST'],
    ['a member too many', '{"v":1,"id":1,"type":"status","x":1}', 1, 'MALFORMED_REQUEST'],
    ['a prototype', '{"v":1,"id":1,"type":"recover","__proto__":{"token":"x"}}', 1, 'MALFORMED_REQUEST'],
  ])('BLE-08 refuses %s', (_, text, id, code) => {
    const parsed = parseRequest(utf8(text));
    expect(parsed).toMatchObject({ ok: false, id, code });
    expect(!parsed.ok && parsed.detail).toMatch(/\S/);
  });

  it('BLE-08 names the member at fault and never what it held', () => {
    const parsed = parse({ nonce: 'secret!' });
    expect(parsed).toMatchObject({ ok: false, code: 'MALFORMED_REQUEST' });
    expect(!parsed.ok && parsed.detail).toBe('nonce: must be at least 16 characters of base64url');
    const missing = parse({ claimId: undefined });
    expect(!missing.ok && missing.detail).toBe('claimId is missing or not of type string');
  });

  it('BLE-08 names an unknown member in a short line, however long it is', () => {
    const parsed = parse({ ['x'.repeat(3_000)]: 1 });
    expect(!parsed.ok && parsed.detail.length).toBeLessThanOrEqual(300);
  });

  it.each([0, -1, 1.5, '1790000000000', null, 1e300])('refuses %j as the phone’s time', (phoneTime) => {
    expect(parse({ phoneTime }).ok).toBe(false);
  });
});

describe('writing', () => {
  it('is read back', () => {
    expect(parseRequest(encodeRequest(7, provision))).toEqual({ ok: true, id: 7, request: provision });
    const response = { type: 'error', code: 'BUSY', detail: 'wait' } as const;
    expect(parseResponse(encodeResponse(7, response))).toEqual({ id: 7, response });
  });

  it('keeps the strongest networks of a scan that is too long, and those that can be asked for', () => {
    const networks: WifiNetwork[] = Array.from({ length: 200 }, (_, at) => ({
      ssid: `${'ü'.repeat(14)}${at}`,
      signalDbm: -1 - at,
      security: 'wpa',
    }));
    networks.push({ ssid: 'control\u0001', signalDbm: 0, security: 'open' });
    const bytes = encodeResponse(1, { type: 'wifi-scan', networks: networks.toReversed() });
    expect(bytes.length).toBeLessThanOrEqual(MAX_JSON_BYTES);
    const { response } = parseResponse(bytes);
    const found = response.type === 'wifi-scan' ? response.networks : [];
    expect(found.length).toBeGreaterThan(40);
    expect(found).toEqual(networks.slice(0, found.length));
  });

  it.each([
    ['another version', '{"v":2,"id":1,"type":"provision"}', 'UNSUPPORTED_VERSION'],
    ['no answer', '{"v":1,"id":1,"type":"hello"}', 'RESPONSE_MALFORMED'],
    ['an unknown code', '{"v":1,"id":1,"type":"error","code":"OOPS","detail":""}', 'RESPONSE_MALFORMED'],
    ['no JSON', '<html>', 'RESPONSE_MALFORMED'],
  ])('lets an app refuse %s', (_, text, code) => {
    expect(() => parseResponse(utf8(text))).toThrow(code);
  });
});
