import { describe, expect, it } from 'vitest';
import badFrames from '../../fixtures/ble/invalid/frames.json' with { type: 'json' };
import badInfo from '../../fixtures/ble/invalid/info.json' with { type: 'json' };
import badRequests from '../../fixtures/ble/invalid/requests.json' with { type: 'json' };
import badResponses from '../../fixtures/ble/invalid/responses.json' with { type: 'json' };
import badSession from '../../fixtures/ble/invalid/session.json' with { type: 'json' };
import badSetupCodes from '../../fixtures/ble/invalid/setup-codes.json' with { type: 'json' };
import frames from '../../fixtures/ble/valid/frames.json' with { type: 'json' };
import info from '../../fixtures/ble/valid/info.json' with { type: 'json' };
import cacophony from '../../fixtures/ble/valid/noise-cacophony.json' with { type: 'json' };
import requests from '../../fixtures/ble/valid/requests.json' with { type: 'json' };
import responses from '../../fixtures/ble/valid/responses.json' with { type: 'json' };
import session from '../../fixtures/ble/valid/session.json' with { type: 'json' };
import setupCodes from '../../fixtures/ble/valid/setup-codes.json' with { type: 'json' };
import {
  type BleDeviceState,
  type BleRequest,
  type BleResponse,
  decodeInfo,
  deriveSessionKey,
  encodeFrame,
  encodeInfo,
  encodeRequest,
  encodeResponse,
  FrameDecoder,
  formatLabel,
  formatSetupCode,
  NOISE_PROTOCOL,
  NoiseInitiator,
  NoiseResponder,
  parseLabel,
  parseRequest,
  parseResponse,
  parseSetupCode,
  sessionPrologue,
} from '../../src/ble/index.ts';
import { FakeDevice, hex, settle, unhex, utf8 } from './support.ts';

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

const piece = (part: string | { fill: number }) =>
  typeof part === 'string' ? unhex(part) : new Uint8Array(part.fill);

describe('the published vector of cacophony', () => {
  it('is met by both sides: handshake, hash and transport messages', () => {
    expect(cacophony.protocolName).toBe(NOISE_PROTOCOL);
    const shared = { psk: unhex(cacophony.psk), prologue: unhex(cacophony.prologue) };
    const app = new NoiseInitiator({ ...shared, random: () => unhex(cacophony.initiatorEphemeralSecret) });
    const device = new NoiseResponder({ ...shared, random: () => unhex(cacophony.responderEphemeralSecret) });
    const [first, second, ...rest] = cacophony.messages;

    expect(hex(app.writeMessage1(unhex(first!.payload)))).toBe(first!.ciphertext);
    expect(hex(device.readMessage1(unhex(first!.ciphertext)))).toBe(first!.payload);
    const answer = device.writeMessage2(unhex(second!.payload));
    expect(hex(answer.message)).toBe(second!.ciphertext);
    const result = app.readMessage2(answer.message);
    expect(hex(result.payload)).toBe(second!.payload);
    expect(hex(result.transport.handshakeHash)).toBe(cacophony.handshakeHash);
    expect(hex(answer.transport.handshakeHash)).toBe(cacophony.handshakeHash);

    const sides = [result.transport, answer.transport];
    for (const [at, message] of rest.entries()) {
      expect(hex(sides[at % 2]!.send.encrypt(unhex(message.payload)))).toBe(message.ciphertext);
      expect(hex(sides[(at + 1) % 2]!.receive.decrypt(unhex(message.ciphertext)))).toBe(message.payload);
    }
  });
});

describe('a recorded session', () => {
  it('comes out byte for byte with its ephemeral keys', () => {
    expect(hex(deriveSessionKey(unhex(session.setupCode)))).toBe(session.psk);
    expect(hex(sessionPrologue(session.uuid))).toBe(session.prologue);
    const shared = { psk: unhex(session.psk), prologue: unhex(session.prologue) };
    const app = new NoiseInitiator({ ...shared, random: () => unhex(session.appEphemeralSecret) });
    const device = new NoiseResponder({ ...shared, random: () => unhex(session.deviceEphemeralSecret) });

    expect(hex(app.writeMessage1())).toBe(session.message1);
    expect(encodeFrame(unhex(session.message1), 20).map(hex)).toEqual(session.message1Chunks);
    device.readMessage1(unhex(session.message1));
    const { message, transport } = device.writeMessage2();
    expect(hex(message)).toBe(session.message2);
    expect(encodeFrame(message, 20).map(hex)).toEqual(session.message2Chunks);
    expect(hex(transport.handshakeHash)).toBe(session.handshakeHash);
    const phone = app.readMessage2(message).transport;

    for (const { from, json, sealed, chunks } of session.transport) {
      const [sender, receiver] = from === 'app' ? [phone, transport] : [transport, phone];
      expect(hex(sender.send.encrypt(utf8(json)))).toBe(sealed);
      expect(Buffer.from(receiver.receive.decrypt(unhex(sealed))).toString()).toBe(json);
      expect(encodeFrame(unhex(sealed), 20).map(hex)).toEqual(chunks);
    }
  });

  it.each(badSession.firstMessages)('does not begin: $name', async ({ message1, answer, reason }) => {
    const device = new FakeDevice({ uuid: session.uuid, setupCode: unhex(session.setupCode) });
    for (const chunk of encodeFrame(unhex(message1), 20)) device.session.receive(chunk);
    await settle();
    expect(hex(device.sent)).toBe(answer);
    expect(device.closed).toEqual([reason]);
  });
});

describe('setup codes', () => {
  it.each(setupCodes.codes)('$text', ({ code, text, alsoTyped, psk, uuid, label }) => {
    expect(formatSetupCode(unhex(code))).toBe(text);
    for (const typed of [text, ...alsoTyped]) expect(hex(parseSetupCode(typed))).toBe(code);
    expect(hex(deriveSessionKey(unhex(code)))).toBe(psk);
    expect(formatLabel({ uuid, setupCode: unhex(code) })).toBe(label);
    expect(parseLabel(label)).toEqual({ uuid, setupCode: unhex(code) });
  });

  it.each(badSetupCodes.codes)('refuse “$text”', ({ text, error }) => {
    expect(codeOf(() => parseSetupCode(text))).toBe(error);
  });

  it.each(badSetupCodes.labels)('refuse the label $text', ({ text, error }) => {
    expect(codeOf(() => parseLabel(text))).toBe(error);
  });
});

describe('info', () => {
  it.each(info.values)('$value', ({ value, v, uuid, state }) => {
    expect(decodeInfo(unhex(value))).toEqual({ v, uuid, state });
    expect(value.startsWith(hex(encodeInfo({ uuid, state: state as BleDeviceState })))).toBe(true);
  });

  it.each(badInfo.values)('refuses “$value”', ({ value, error }) => {
    expect(codeOf(() => decodeInfo(unhex(value)))).toBe(error);
  });
});

describe('frames', () => {
  it.each(frames.frames)('$message over $mtuPayload bytes', ({ message, mtuPayload, chunks }) => {
    expect(encodeFrame(unhex(message), mtuPayload).map(hex)).toEqual(chunks);
    const decoder = new FrameDecoder();
    const found = chunks.flatMap((chunk) => decoder.push(unhex(chunk)));
    expect(found.map((frame) => frame.ok && hex(frame.message))).toEqual([message]);
  });

  it('of the largest message', () => {
    const { firstChunk, chunks, mtuPayload } = frames.largest;
    const cut = encodeFrame(new Uint8Array(4096).fill(0xaa), mtuPayload);
    expect([hex(cut[0]!), cut.length]).toEqual([firstChunk, chunks]);
  });

  it.each(badFrames.streams)('BLE-07 $name', ({ chunks, finds }) => {
    const decoder = new FrameDecoder();
    const found = chunks.flatMap((part) => decoder.push(piece(part)));
    expect(found.map((frame) => (frame.ok ? hex(frame.message) : frame.error.code))).toEqual(finds);
  });
});

describe('messages', () => {
  it.each(requests.requests)('request: $name', ({ json: { v: _, id, ...request } }) => {
    const bytes = encodeRequest(id, request as BleRequest);
    expect(parseRequest(bytes)).toEqual({ ok: true, id, request });
  });

  it.each(badRequests.requests)('BLE-08 BLE-10 refused request: $name', ({ text, hex: raw, id, code }) => {
    const bytes = raw === undefined ? utf8(text ?? '') : unhex(raw);
    expect(parseRequest(bytes)).toMatchObject({ ok: false, id, code });
  });

  it.each(responses.responses)('response: $name', ({ json: { v: _, id, ...response } }) => {
    expect(parseResponse(encodeResponse(id, response as BleResponse))).toEqual({ id, response });
  });

  it.each(badResponses.responses)('refused response: $name', ({ text, error }) => {
    expect(codeOf(() => parseResponse(utf8(text)))).toBe(error);
  });
});
