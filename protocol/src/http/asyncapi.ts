import { z } from 'zod';
import { acknowledgementSchema } from '../messages/acknowledgement.ts';
import { commandStatusSchema } from '../messages/command-status.ts';
import { connectionSchema } from '../messages/connection.ts';
import { envelopeSchema, readingSchema } from '../messages/telemetry.ts';
import {
  commandClaimsSchema,
  componentsChangedClaimsSchema,
  orderTypes,
  resetClaimsSchema,
  wifiChangeClaimsSchema,
} from '../orders/claims.ts';
import { topics } from '../topics.ts';
import { stateDocument } from './schemas.ts';

/** How a message proves where it comes from. */
type Proof = 'mac' | 'jws' | 'none';

interface Message {
  readonly topic: keyof typeof topics;
  /** Who publishes it. */
  readonly from: 'device' | 'cloud' | 'app';
  readonly title: string;
  readonly proof: Proof;
  /** `typ` of a JWS. */
  readonly typ?: string;
  /** Of the JSON without its MAC, or of the claims of a JWS. Absent: any JSON object. */
  readonly schema?: z.core.$ZodType;
}

const messages: readonly Message[] = [
  { topic: 'componentStatus', from: 'device', title: 'Readings', proof: 'mac', schema: envelopeSchema },
  {
    topic: 'commandsStatus',
    from: 'device',
    title: 'Results of commands',
    proof: 'mac',
    schema: commandStatusSchema,
  },
  {
    topic: 'connectionStatus',
    from: 'device',
    title: 'Birth and last will',
    proof: 'mac',
    schema: connectionSchema,
  },
  { topic: 'otaStatus', from: 'device', title: 'Progress of an update', proof: 'mac' },
  {
    topic: 'telemetryAck',
    from: 'cloud',
    title: 'What the database holds',
    proof: 'mac',
    schema: acknowledgementSchema,
  },
  {
    topic: 'command',
    from: 'cloud',
    title: 'An order to a component',
    proof: 'jws',
    typ: orderTypes.command,
    schema: commandClaimsSchema,
  },
  {
    topic: 'componentsChanged',
    from: 'cloud',
    title: 'Fetch the components again',
    proof: 'jws',
    typ: orderTypes.componentsChanged,
    schema: componentsChangedClaimsSchema,
  },
  {
    topic: 'wifiChange',
    from: 'cloud',
    title: 'Join another network',
    proof: 'jws',
    typ: orderTypes.wifiChange,
    schema: wifiChangeClaimsSchema,
  },
  { topic: 'otaNotify', from: 'cloud', title: 'There is an update', proof: 'jws' },
  {
    topic: 'systemReset',
    from: 'cloud',
    title: 'Forget this owner',
    proof: 'jws',
    typ: orderTypes.reset,
    schema: resetClaimsSchema,
  },
  { topic: 'requestState', from: 'app', title: 'Ask for the state', proof: 'none' },
  { topic: 'clientState', from: 'cloud', title: 'The state document', proof: 'none', schema: stateDocument },
  { topic: 'operatorTest', from: 'cloud', title: 'A test of the broker, to oneself', proof: 'mac' },
];

const proofs: Readonly<Record<Proof, string>> = {
  mac: 'Plain JSON whose first member is `mac`: HMAC-SHA-256 over the topic and every byte that follows it.',
  jws: 'Compact JWS (RFC 7515), EdDSA, by a command key of the trust file; the schema is that of its claims.',
  none: 'Plain JSON; mutual TLS and the rights of the broker say who may send and receive it.',
};

/** Every MQTT topic as an AsyncAPI 3.0 document. Operations are those of the cloud. */
export function asyncApiDocument(options: { readonly version: string }): object {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Ares',
      version: options.version,
      description:
        'Messages between devices, the cloud and apps over MQTT with mutual TLS. In a topic an e-mail address or a ' +
        'component type is encoded: `%`, `+`, `#`, `/`, control and non-ASCII characters as upper-case %XX of UTF-8.',
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(messages.map((message) => [message.topic, channel(message)])),
    operations: Object.fromEntries(
      messages.map(({ topic, from, title }) => [
        topic,
        {
          action: from === 'cloud' ? 'send' : 'receive',
          summary: title,
          channel: { $ref: `#/channels/${topic}` },
        },
      ]),
    ),
    components: {
      messages: Object.fromEntries(messages.map((message) => [message.topic, description(message)])),
      schemas: { reading: jsonSchema(readingSchema) },
    },
  };
}

function channel({ topic, title }: Message): object {
  const { address } = topics[topic];
  const names = [...address.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
  return {
    address,
    title,
    parameters: Object.fromEntries(names.map((name) => [name, {}])),
    messages: { [topic]: { $ref: `#/components/messages/${topic}` } },
  };
}

function description({ topic, from, title, proof, typ, schema }: Message): object {
  return {
    name: topic,
    title,
    summary: `From ${from === 'app' ? 'an app' : `the ${from}`}. ${proofs[proof]}`,
    contentType: proof === 'jws' ? 'application/jose' : 'application/json',
    ...(typ !== undefined && { 'x-jose-typ': typ }),
    payload: topic === 'componentStatus' ? readings(schema!) : schema === undefined ? {} : jsonSchema(schema),
  };
}

/** The envelope leaves its readings open, because they are parsed one by one; here they have their schema. */
function readings(envelope: z.core.$ZodType): object {
  const schema = jsonSchema(envelope) as { properties: Record<string, object> };
  const list = { ...schema.properties['readings'], items: { $ref: '#/components/schemas/reading' } };
  return { ...schema, properties: { ...schema.properties, readings: list } };
}

function jsonSchema(schema: z.core.$ZodType): object {
  // AsyncAPI's own dialect is JSON Schema draft 7. A root that is a mere reference would point outside its place.
  const { $schema, id, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-7',
    unrepresentable: 'any',
  }) as Record<string, unknown>;
  return rest;
}
