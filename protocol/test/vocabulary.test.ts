import { describe, expect, it } from 'vitest';
import { builtInComponentTypes, componentTypeDefinitionSchema } from '../src/components.ts';
import { normalizeEmail } from '../src/ids.ts';
import { toRanges } from '../src/messages/acknowledgement.ts';
import { describeIssues, parseWith } from '../src/parse.ts';
import { ProblemError, problemCodes, problems } from '../src/problems.ts';
import { formatRegistrationLine, parseRegistrationLine } from '../src/registration-line.ts';
import { stateKeyOf } from '../src/state-document.ts';
import { reservedComponentTypes } from '../src/topics.ts';
import { parseTrustFile } from '../src/trust.ts';

describe('the registration line', () => {
  const registration = {
    cpuSerial: '10000000c0ffee01',
    deviceUuid: '0b8f6f6e-6c1c-4d0e-9a53-0d2f7f1c9a11',
    identityKeyHash: 'ab'.repeat(32),
    hardwareVersion: 'pi-4',
    hardwareVariant: 'base',
  };

  it('is parsed into what it was made of', () => {
    expect(parseRegistrationLine(` ${formatRegistrationLine(registration)}\n`)).toEqual({
      ok: true,
      value: registration,
    });
  });

  it.each(['', 'ares1:x', 'ares2:a:b:c:d:e', formatRegistrationLine({ ...registration, cpuSerial: 'XYZ' })])(
    'says what is wrong with %j',
    (line) => {
      const parsed = parseRegistrationLine(line);
      expect(parsed.ok).toBe(false);
      if (!parsed.ok)
        expect(describeIssues(parsed.issues)).toMatch(/registration line|cpuSerial: must be 8 to 32/);
    },
  );
});

describe('problems', () => {
  it('have a status of an error, a title and one shape on the wire', () => {
    for (const code of problemCodes) {
      expect(problems[code].status).toBeGreaterThanOrEqual(400);
      expect(new ProblemError(code, 'why').toDetails('r1')).toEqual({
        type: `urn:ares:problem:${code}`,
        title: problems[code].title,
        status: problems[code].status,
        code,
        detail: 'why',
        requestId: 'r1',
      });
    }
  });
});

describe('ranges of an acknowledgement', () => {
  it('join neighbours, keep gaps and forget duplicates', () => {
    expect(toRanges([3, 1, 2, 2, 7])).toEqual([
      [1, 3],
      [7, 7],
    ]);
    expect(toRanges([])).toEqual([]);
  });
});

describe('component types that come with Ares', () => {
  it('follow the schema of the catalogue and collide with no topic', () => {
    for (const type of builtInComponentTypes) {
      expect(parseWith(componentTypeDefinitionSchema, type)).toMatchObject({ ok: true });
      expect(reservedComponentTypes).not.toContain(type.componentType);
    }
  });

  it('have the state keys of the specification', () => {
    const keys = builtInComponentTypes.flatMap(({ metrics }) => metrics.map(({ stateKey }) => stateKey));
    expect(keys).toEqual(
      expect.arrayContaining(['led', 'pump', 'dht22_temp', 'dht22_humidity', 'cpu_average', 'cpu_peak']),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('give the plain key to the first component of a type and one with its id to others', () => {
    const metric = builtInComponentTypes[1]!.metrics[0]!;
    expect(stateKeyOf(metric, 4, [4, 9])).toBe('pump');
    expect(stateKeyOf(metric, 9, [4, 9])).toBe('pump_9');
  });
});

describe('e-mail addresses', () => {
  it('are compared as NFC in lower case', () => {
    expect(normalizeEmail(' JU\u0308RGEN@Example.ORG ')).toBe('jürgen@example.org');
  });
});

describe('the trust file', () => {
  const key = { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43), kid: 'k1', alg: 'EdDSA', use: 'sig' };
  const trust = {
    v: 1,
    caCertificates: ['-----BEGIN CERTIFICATE-----\n'],
    commandKeys: { keys: [key] },
    tufRoot: null,
  };

  it('is refused without a certificate or a key, or with a private key in it', () => {
    expect(parseTrustFile(trust).ok).toBe(true);
    expect(parseTrustFile({ ...trust, caCertificates: [] }).ok).toBe(false);
    expect(parseTrustFile({ ...trust, commandKeys: { keys: [] } }).ok).toBe(false);
    expect(parseTrustFile({ ...trust, commandKeys: { keys: [{ ...key, d: 'A'.repeat(43) }] } }).ok).toBe(
      false,
    );
    expect(parseTrustFile({ ...trust, commandKeys: { keys: [{ ...key, kty: 'oct' }] } }).ok).toBe(false);
  });
});
