import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { requestSchemas } from '../../src/ble/conversation.ts';
import {
  DEVICE_ERROR_CODES,
  DEVICE_STATES,
  formatSetupCode,
  INFO_CHARACTERISTIC_UUID,
  isRequestAllowed,
  MAX_JSON_BYTES,
  MAX_MESSAGE_BYTES,
  NOISE_PROTOCOL,
  PROVISIONING_STEPS,
  parseRequest,
  parseResponse,
  parseSetupCode,
  REQUEST_CHARACTERISTIC_UUID,
  RESPONSE_CHARACTERISTIC_UUID,
  SERVICE_UUID,
  STEP_ERROR_CODES,
} from '../../src/ble/index.ts';
import { utf8 } from './support.ts';

const page = readFileSync(new URL('../../BLUETOOTH.md', import.meta.url), 'utf8');
const section = (title: string) => page.split(/^##+ /m).find((part) => part.startsWith(title)) ?? '';
const types = Object.keys(requestSchemas) as (keyof typeof requestSchemas)[];

describe('the page for app developers', () => {
  it('names every UUID, state, step, request and code', () => {
    const names = [
      SERVICE_UUID,
      INFO_CHARACTERISTIC_UUID,
      REQUEST_CHARACTERISTIC_UUID,
      RESPONSE_CHARACTERISTIC_UUID,
    ];
    names.push(NOISE_PROTOCOL, `${MAX_MESSAGE_BYTES}`, `${MAX_JSON_BYTES}`, ...PROVISIONING_STEPS, ...types);
    names.push(...DEVICE_ERROR_CODES, ...STEP_ERROR_CODES);
    for (const [at, state] of DEVICE_STATES.entries()) names.push(`\`${at}\` ${state}`);
    for (const name of names) expect(page).toContain(name);
  });

  it.each(types)('shows a request and a response that are valid: %s', (type) => {
    const examples = [...section(`${type}\n`).matchAll(/```json\n(.*?)```/gs)].map((match) =>
      utf8(match[1] ?? ''),
    );
    expect(examples).toHaveLength(2);
    expect(parseRequest(examples[0]!)).toMatchObject({ ok: true, request: { type } });
    expect(parseResponse(examples[1]!).response.type).toBe(type);
  });

  it('shows a valid error response and a valid setup code', () => {
    const example = /```json\n(.*?)```/s.exec(section('7. Errors'))?.[1] ?? '';
    expect(parseResponse(utf8(example)).response.type).toBe('error');
    const code = /`([0-9A-Z-]{33})`/.exec(section('4. Setup code'))?.[1] ?? '';
    expect(formatSetupCode(parseSetupCode(code))).toBe(code);
  });

  it('tells what each state answers', () => {
    const rows = section('What is answered when')
      .split('\n')
      .filter((line) => line.startsWith('| '));
    for (const state of DEVICE_STATES) {
      const row = rows.find((line) => line.split('|')[1]?.includes(state)) ?? '';
      const told = types.filter((type) => row.includes(`\`${type}\``));
      expect(told, state).toEqual(types.filter((type) => isRequestAllowed(state, type)));
    }
  });

  it('names vectors that exist', () => {
    for (const [, file] of section('8. Vectors').matchAll(/`([a-z-]+\.json)`/g)) {
      expect(existsSync(new URL(`../../fixtures/ble/valid/${file}`, import.meta.url)), file).toBe(true);
    }
  });
});
