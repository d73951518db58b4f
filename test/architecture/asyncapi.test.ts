import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { topics } from '@ares/protocol';
import { asyncApiDocument } from '@ares/protocol/http';
import { Ajv } from 'ajv';
import { expect, it } from 'vitest';

const document = asyncApiDocument({ version: '0.0.0' }) as {
  channels: Record<string, { address: string; parameters: object }>;
  components: { messages: Record<string, { payload: object }> };
};

it('is a document of AsyncAPI 3.0', () => {
  const file = createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0-without-$id.json');
  const schema = JSON.parse(readFileSync(file, 'utf8')) as object;
  const validate = new Ajv({ strict: false, logger: false, validateFormats: false }).compile(schema);
  validate(document);
  expect(validate.errors).toBeNull();
  expect(validate({ ...document, channels: [] })).toBe(false);
});

it('has every topic, with all of its parameters', () => {
  expect(Object.keys(document.channels).toSorted()).toEqual(Object.keys(topics).toSorted());
  for (const [name, { address, parameters }] of Object.entries(document.channels)) {
    expect(address).toBe(topics[name as keyof typeof topics].address);
    expect(Object.keys(parameters)).toEqual([...address.matchAll(/\{(\w+)\}/g)].map((match) => match[1]));
  }
});

it('has schemas that compile and say what belongs into a message', () => {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  for (const [name, { payload }] of Object.entries(document.components.messages)) {
    const root = { ...payload, components: document.components };
    expect(() => ajv.compile(root), name).not.toThrow();
  }
  const acknowledgement = ajv.compile(document.components.messages['telemetryAck']!.payload);
  expect(acknowledgement({ v: 1 })).toBe(false);
});
