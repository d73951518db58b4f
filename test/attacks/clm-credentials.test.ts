import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CredentialsWorld,
  credentialsWorld,
  outcome,
} from '../../cloud/test/support/credentials-world.ts';
import { makeIdentity, type TestDevice } from '../../cloud/test/support/test-device.ts';
import { makeCsr } from '../support/certificate-requests.ts';

let world: CredentialsWorld;
beforeAll(async () => {
  world = await credentialsWorld({ config: { certificatesPerHour: 1_000 } });
});
afterAll(() => world.close());

async function claim(device: TestDevice, user?: { userId: number; source: string }) {
  return world.claims.claim(device.claimBody, user ?? (await world.user()));
}
const send = (request: Parameters<CredentialsWorld['credentials']['request']>[0]) =>
  outcome(world.credentials.request(request, undefined));
const stored = async (device: TestDevice) => (await world.certificatesOf(device)).map(({ status }) => status);

describe('CLM-03 one claim nonce, many requests', () => {
  it('CLM-03 gives exactly one of 100 different requests at once a certificate', async () => {
    const device = await world.device();
    const { claimId, nonce } = await claim(device);
    const requests = await Promise.all(
      Array.from({ length: 100 }, () => device.request({ grant: 'claim', claimId, nonce })),
    );
    const other = world.replica();
    const answers = await Promise.all(
      requests.map((request, i) =>
        outcome((i % 2 === 0 ? world : other).credentials.request(request, undefined)),
      ),
    );
    expect(answers.filter((answer) => typeof answer !== 'string')).toHaveLength(1);
    expect(answers.filter((answer) => answer === 'CLAIM_USED')).toHaveLength(99);
    expect(await stored(device)).toEqual(['ACTIVE']);
  });

  it('CLM-03 gives the same request 100 times at once, on two replicas, the same certificate', async () => {
    const device = await world.device();
    const { claimId, nonce } = await claim(device);
    const request = await device.request({ grant: 'claim', claimId, nonce });
    const other = world.replica();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        (i % 2 === 0 ? world : other).credentials.request(request, undefined),
      ),
    );
    expect(new Set(answers.map(({ certificateChain }) => certificateChain)).size).toBe(1);
    expect(new Set(answers.map(({ sharedSecret }) => sharedSecret)).size).toBe(1);
    expect(await stored(device)).toEqual(['ACTIVE']);
  });

  it('CLM-03 refuses a used nonce afterwards, for the same and for another claim', async () => {
    const [device, user] = [await world.device(), await world.user()];
    const used = await claim(device, user);
    await send(await device.request({ grant: 'claim', ...pick(used) }));
    const second = await claim(device, user);
    expect(await send(await device.request({ grant: 'claim', ...pick(used) }))).toBe('CLAIM_USED');
    const mixed = { claimId: second.claimId, nonce: used.nonce };
    expect(await send(await device.request({ grant: 'claim', ...mixed }))).toBe('NONCE_UNKNOWN');
  });

  it('CLM-03 uses a challenge once, for the device that asked for it', async () => {
    const [device, other] = [await world.device(), await world.device()];
    await world.claimed(await world.user(), device);
    const nonce = await world.nonce(device);
    expect(await send(await device.request({ grant: 'identity', nonce }))).toMatchObject({ assignment: 1 });
    expect(await send(await device.request({ grant: 'identity', nonce }))).toBe('NONCE_UNKNOWN');
    const foreign = await world.nonce(other);
    expect(await send(await device.request({ grant: 'identity', nonce: foreign }))).toBe('NONCE_UNKNOWN');
    const invented = Buffer.alloc(32, 7).toString('base64url');
    expect(await send(await device.request({ grant: 'identity', nonce: invented }))).toBe('NONCE_UNKNOWN');
  });
});

describe('CLM-04 a claim nonce after its ten minutes', () => {
  it('CLM-04 is refused as expired, and a challenge too; nine minutes are fine', async () => {
    const [device, early] = [await world.device(), await world.device()];
    const [late, inTime] = [await claim(device), await claim(early)];
    world.clock.advance(9 * 60_000);
    expect(await send(await early.request({ grant: 'claim', ...pick(inTime) }))).toMatchObject({
      assignment: 1,
    });
    const challenge = await world.nonce(early);
    world.clock.advance(10 * 60_000);
    expect(await send(await device.request({ grant: 'claim', ...pick(late) }))).toBe('CLAIM_EXPIRED');
    expect(await stored(device)).toEqual([]);
    expect(await send(await early.request({ grant: 'identity', nonce: challenge }))).toBe('NONCE_EXPIRED');
  });
});

describe('CLM-05 a signature over something else than what is sent', () => {
  it('CLM-05 is refused and uses nothing up', async () => {
    const device = await world.device();
    const pending = pick(await claim(device));
    const csr = await makeCsr();
    const wrong = [
      { signed: { csr: (await makeCsr()).der } },
      { signed: { apiHost: 'evil.example.org:8443' } },
      { signed: { grant: 'renew' as const } },
    ];
    for (const options of wrong) {
      const request = await device.request({ grant: 'claim', ...pending, csr, ...options });
      expect(await send(request)).toBe('BAD_SIGNATURE');
    }
    const good = await device.request({ grant: 'claim', ...pending, csr });
    const identity = makeIdentity();
    for (const signature of [
      good.signature.slice(0, -2),
      `${good.signature}AA`,
      Buffer.from(good.signature, 'base64url').reverse().toString('base64url'),
      Buffer.alloc(64).toString('base64url'),
    ])
      expect(await send({ ...good, signature })).toBe('BAD_SIGNATURE');
    expect(await send({ ...good, identityKey: identity.spki.toString('base64url') })).toBe('BAD_SIGNATURE');
    expect(await send({ ...good, cpuSerial: 'deadbeefdeadbeef' })).toBe('BAD_SIGNATURE');
    expect(await send(good)).toMatchObject({ assignment: 1 });
  });
});

describe('CLM-06 CLM-08 requests for certificates that must not be', () => {
  it('CLM-06 refuses a CSR whose own signature is broken', async () => {
    const device = await world.device();
    const pending = pick(await claim(device));
    const { der } = await makeCsr();
    const broken = Buffer.from(der);
    broken[broken.length - 5]! ^= 1;
    expect(await send(await device.request({ grant: 'claim', ...pending, csr: { der: broken } }))).toBe(
      'BAD_CSR',
    );
    const garbage = Buffer.from('not a certificate request');
    expect(await send(await device.request({ grant: 'claim', ...pending, csr: { der: garbage } }))).toBe(
      'BAD_CSR',
    );
    expect(await stored(device)).toEqual([]);
  });

  it('CLM-08 refuses weak and foreign kinds of key, and the identity key itself', async () => {
    const device = await world.device();
    const pending = pick(await claim(device));
    const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]) };
    const kinds = [
      { ...rsa, modulusLength: 1_024 },
      { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
    ];
    for (const algorithm of kinds) {
      const keys = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
      const csr = await x509.Pkcs10CertificateRequestGenerator.create({
        name: 'CN=x',
        keys,
        signingAlgorithm: algorithm,
      });
      const request = await device.request({
        grant: 'claim',
        ...pending,
        csr: { der: Buffer.from(csr.rawData) },
      });
      expect(await send(request)).toBe('BAD_CSR');
    }
    const own = await makeCsr({ keys: await asCryptoKeys(device) });
    expect(await send(await device.request({ grant: 'claim', ...pending, csr: own }))).toBe('BAD_CSR');
  });

  it('CLM-08 refuses a key that is known for another device, as certificate or as identity', async () => {
    const [one, two] = [await world.device(), await world.device()];
    const csr = await makeCsr();
    await send(await one.request({ grant: 'claim', ...pick(await claim(one)), csr }));
    const pending = pick(await claim(two));
    expect(await send(await two.request({ grant: 'claim', ...pending, csr }))).toBe('KEY_IN_USE');
    const owned = await world.device();
    await world.claimed(await world.user(), owned);
    const nonce = await world.nonce(owned);
    expect(await send(await owned.request({ grant: 'identity', nonce, csr }))).toBe('KEY_IN_USE');
    const identityAsCsr = await makeCsr({ keys: await asCryptoKeys(one) });
    expect(await send(await two.request({ grant: 'claim', ...pending, csr: identityAsCsr }))).toBe(
      'KEY_IN_USE',
    );
    expect(await stored(two)).toEqual([]);
  });

  it('CLM-08 lets only one of two devices have a key that both bring at once', async () => {
    const [one, two] = [await world.device(), await world.device()];
    const csr = await makeCsr();
    const requests = await Promise.all(
      [one, two].map(async (device) => device.request({ grant: 'claim', ...pick(await claim(device)), csr })),
    );
    const answers = await Promise.all(requests.map(send));
    expect(answers.filter((answer) => answer === 'KEY_IN_USE')).toHaveLength(1);
  });
});

describe('CLM-07 what a CSR asks for beyond its key', () => {
  it('CLM-07 is ignored: own UUID as CN, no SAN, no CA, clientAuth only', async () => {
    const device = await world.device();
    const csr = await makeCsr({
      subject: 'CN=*, O=Administrators',
      extensions: [
        new x509.BasicConstraintsExtension(true, 2, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], true),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: '*.example.org' }]),
      ],
    });
    const answer = await send(await device.request({ grant: 'claim', ...pick(await claim(device)), csr }));
    if (typeof answer === 'string') throw new Error(answer);
    const certificate = new X509Certificate(answer.certificateChain);
    expect(certificate.subject).toBe(`CN=${device.deviceUuid}`);
    expect(certificate.subjectAltName).toBeUndefined();
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.serialNumber.toLowerCase()).toBe(answer.certificateSerial);
    expect(answer.notAfter - world.clock.now()).toBeLessThanOrEqual(86_400_000);
  });
});

describe('CLM-14 secrets in what is stored', () => {
  it('CLM-14 leaves no private key, nonce, token or shared secret readable in any table', async () => {
    const [owner, device] = [await world.user(), await world.device()];
    const pending = await claim(device, owner);
    const csr = await makeCsr();
    const answer = await send(await device.request({ grant: 'claim', ...pick(pending), csr }));
    if (typeof answer === 'string') throw new Error(answer);
    // Before the revocation, which deletes the shared secret: it must be there, and sealed.
    const held = await dump();
    await world.recovery.revoke({ deviceUuid: device.deviceUuid, actorUserId: owner.userId });
    const { token } = await world.recovery.token({
      deviceUuid: device.deviceUuid,
      actorUserId: owner.userId,
    });
    const everything = `${held}\n${await dump()}`;
    expect(everything).toContain(device.deviceUuid);
    expect(everything).not.toMatch(/PRIVATE KEY|"d":/);
    for (const secret of [pending.nonce, token, answer.sharedSecret]) {
      expect(everything).not.toContain(secret);
      expect(everything).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
    }
  });
});

async function dump(): Promise<string> {
  const tables = await world.database.db.introspection.getTables();
  const rows = [];
  for (const { name } of tables.filter((table) => !table.isView)) {
    const table = name as 'devices';
    rows.push(JSON.stringify(await world.database.db.selectFrom(table).selectAll().execute(), asText));
  }
  return rows.join('\n');
}
const asText = (_: string, value: unknown) => {
  const buffer = value as { type?: string; data?: number[] } | null;
  return buffer?.type === 'Buffer' ? Buffer.from(buffer.data ?? []).toString('hex') : value;
};

const pick = ({ claimId, nonce }: { claimId: string; nonce: string }) => ({ claimId, nonce });

async function asCryptoKeys({ identity }: TestDevice): Promise<CryptoKeyPair> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const pkcs8 = identity.privateKey.export({ type: 'pkcs8', format: 'der' });
  return {
    privateKey: await crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), algorithm, true, ['sign']),
    publicKey: await crypto.subtle.importKey('spki', new Uint8Array(identity.spki), algorithm, true, [
      'verify',
    ]),
  };
}
