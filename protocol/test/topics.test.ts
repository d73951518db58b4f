import { describe, expect, it } from 'vitest';
import {
  decodeSegment,
  deviceRights,
  encodeSegment,
  filterMatches,
  type Topic,
  topics,
} from '../src/topics.ts';
import { fixture } from './fixtures.ts';

type Case = { name: keyof typeof topics; topic: string; values: Record<string, string>; why: string };
const anyTopic = (name: keyof typeof topics) => topics[name] as unknown as Topic<Record<string, string>>;
const device = '0b8f6f6e-6c1c-4d0e-9a53-0d2f7f1c9a11';
const other = '1b8f6f6e-6c1c-4d0e-9a53-0d2f7f1c9a11';

describe('topics of the fixtures', () => {
  const { cases } = fixture<{ cases: Case[] }>('topics/valid.json');

  it('cover every topic', () => {
    expect(new Set(cases.map(({ name }) => name))).toEqual(new Set(Object.keys(topics)));
  });

  it.each(cases)(
    '$topic is built from its parts, parsed into them and matched by its filter',
    ({ name, values, topic }) => {
      expect(anyTopic(name).build(values)).toBe(topic);
      expect(anyTopic(name).parse(topic)).toEqual(values);
      expect(filterMatches(anyTopic(name).filter(), topic)).toBe(true);
      expect(filterMatches(anyTopic(name).filter(values), topic)).toBe(true);
    },
  );

  it.each(cases)('$topic is parsed by no other topic of its shape', ({ name, topic }) => {
    const parsedBy = Object.keys(topics).filter(
      (key) => anyTopic(key as keyof typeof topics).parse(topic) !== undefined,
    );
    // The command topic is the general form of the fixed ones below it; reserved types keep them apart.
    expect(parsedBy.filter((key) => key !== 'command')).toEqual(name === 'command' ? [] : [name]);
  });

  it.each(fixture<{ cases: Case[] }>('topics/invalid.json').cases)(
    '$topic is refused: $why',
    ({ name, topic }) => {
      expect(anyTopic(name).parse(topic)).toBeUndefined();
    },
  );
});

describe('segments', () => {
  it('are inverses of each other for every character that an e-mail can hold', () => {
    for (let code = 1; code < 0x3000; code++) {
      const text = `a${String.fromCodePoint(code)}b`;
      const segment = encodeSegment(text);
      expect(decodeSegment(segment)).toBe(text);
      expect(segment).toMatch(/^[\x20-\x7e]+$/);
      expect(segment).not.toMatch(/[+#/]/);
    }
  });

  it('keep distinct texts distinct', () => {
    expect(encodeSegment('a%2Bb')).not.toBe(encodeSegment('a+b'));
  });
});

describe('building a topic', () => {
  it('refuses an empty part and a device that is no UUID', () => {
    expect(() => topics.command.build({ deviceUuid: device, componentType: '', action: 'on' })).toThrow(
      'componentType is empty',
    );
    expect(() => topics.otaStatus.build({ deviceUuid: 'x/#' })).toThrow('deviceUuid is no UUID');
  });
});

describe('rights of a device', () => {
  const rights = deviceRights(device);
  const mayPublish = (topic: string) => rights.publish.some((filter) => filterMatches(filter, topic));
  const mayReceive = (topic: string) => rights.subscribe.some((filter) => filterMatches(filter, topic));

  it('MQT-02 let it publish its own topics and nobody else', () => {
    const values = { userEmail: 'a+b@example.org', deviceUuid: device, componentType: 'pump' };
    expect(mayPublish(topics.componentStatus.build(values))).toBe(true);
    expect(mayPublish(topics.componentStatus.build({ ...values, deviceUuid: other }))).toBe(false);
    expect(mayPublish(topics.connectionStatus.build({ deviceUuid: other }))).toBe(false);
    expect(
      mayPublish(topics.command.build({ deviceUuid: device, componentType: 'pump', action: 'on' })),
    ).toBe(false);
    expect(mayPublish('$SYS/x')).toBe(false);
  });

  it('let it receive its own orders and nobody else’s', () => {
    expect(
      mayReceive(topics.command.build({ deviceUuid: device, componentType: 'pump', action: 'on' })),
    ).toBe(true);
    expect(mayReceive(topics.systemReset.build({ deviceUuid: device }))).toBe(true);
    expect(mayReceive(topics.systemReset.build({ deviceUuid: other }))).toBe(false);
    expect(mayReceive(topics.otaStatus.build({ deviceUuid: device }))).toBe(false);
  });
});

describe('filters of MQTT 3.1.1 §4.7', () => {
  it.each([
    ['#', 'a/b', true],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/+', 'a/b', true],
    ['a/+', 'a/b/c', false],
    ['+/b', 'a/b', true],
    ['a/b', 'a', false],
    ['a', 'a/b', false],
    ['#', '$SYS/broker', false],
    ['+/broker', '$SYS/broker', false],
    ['$SYS/#', '$SYS/broker', true],
  ])('%s on %s: %s', (filter, name, expected) => {
    expect(filterMatches(filter, name)).toBe(expected);
  });
});
