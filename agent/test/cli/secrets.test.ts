import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatSetupCode } from '@ares/protocol/ble';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRedactor } from '../../src/cli/secrets.ts';
import { createPrivateKeyPem } from '../../src/identity/keys.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ares-secrets-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const setupCode = 'ab'.repeat(16);
const key = createPrivateKeyPem();
const otherKey = createPrivateKeyPem();

describe('a text for somebody who helps', () => {
  it('SEC-02 loses every secret of the device, in each form that a log would show, and nothing else', () => {
    const write = (name: string, value: unknown) =>
      writeFileSync(join(dir, name), typeof value === 'string' ? value : JSON.stringify(value));
    write('setup-code', setupCode);
    write('identity-key.pem', key);
    write('credentials.json', {
      apiUrl: 'https://cloud.test',
      privateKeyPem: otherKey,
      answer: { sharedSecret: 'c2hhcmVkLXNlY3JldA', userEmail: 'owner@example.org' },
    });
    write('provisioning.json', {
      wifi: { ssid: 'greenhouse', password: 'growgrowgrow' },
      claim: { claimId: 'claim-1', nonce: 'nonce-canary' },
    });
    write('.pending-credentials.json.0123456789ab.tmp', { recoveryToken: 'recovery-canary' });
    const secrets = [
      setupCode,
      formatSetupCode(Buffer.from(setupCode, 'hex')),
      formatSetupCode(Buffer.from(setupCode, 'hex')).replaceAll('-', ''),
      key.split('\n')[1]!,
      JSON.stringify(otherKey),
      'c2hhcmVkLXNlY3JldA',
      'growgrowgrow',
      'nonce-canary',
      'recovery-canary',
    ];
    const redact = createRedactor(dir);
    const clean = redact(`owner@example.org in greenhouse, claim-1\n${secrets.join('\n')}`);
    for (const secret of secrets) expect(clean).not.toContain(secret);
    expect(clean).toContain('owner@example.org in greenhouse, claim-1');
  });

  it('SEC-02 loses what is called a password, and any private key, whose ever they are', () => {
    const redact = createRedactor(dir);
    const clean = redact(
      `psk=letmein1 "password": "open sesame" ${otherKey} wifi.password = 'hush hush' end`,
    );
    expect(clean).not.toMatch(/letmein1|sesame|hush|PRIVATE/);
    expect(clean).toMatch(/ end$/);
  });
});
