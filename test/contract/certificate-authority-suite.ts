import { X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import type { CertificateAuthority } from '../../cloud/src/ports/certificate-authority.ts';
import { makeCsr } from '../support/certificate-requests.ts';
import { tryHandshake } from '../support/tls.ts';

const DEVICE = '1f0c5a52-6a0e-4c1e-9d1b-0a2b3c4d5e6f';
const OTHER_DEVICE = '22222222-6a0e-4c1e-9d1b-0a2b3c4d5e6f';
const DAY_MS = 86_400_000;

/** What every certificate authority must do; `make` gives one that is ready, with an empty revocation list. */
export function describeCertificateAuthority(name: string, make: () => Promise<CertificateAuthority>): void {
  describe(`${name} as a certificate authority`, () => {
    it('signs a device key as a client certificate that chains to the root', async () => {
      const ca = await make();
      const { der, keys } = await makeCsr();
      const before = Date.now();
      const issued = await ca.signDevice({ csr: der, commonName: DEVICE, validityMs: DAY_MS });

      const leaf = new X509Certificate(issued.leafDer);
      const [pemLeaf, pemIntermediate] = splitPem(issued.chainPem).map((pem) => new X509Certificate(pem));
      const intermediate = new X509Certificate(ca.caCertificates.intermediate);
      const root = new X509Certificate(ca.caCertificates.root);
      expect(pemLeaf?.fingerprint256).toBe(leaf.fingerprint256);
      expect(pemIntermediate?.fingerprint256).toBe(intermediate.fingerprint256);
      expect(leaf.checkIssued(intermediate) && leaf.verify(intermediate.publicKey)).toBe(true);
      expect(intermediate.checkIssued(root) && intermediate.verify(root.publicKey)).toBe(true);

      expect(leaf.subject).toBe(`CN=${DEVICE}`);
      expect(leaf.serialNumber.toLowerCase()).toBe(issued.serial);
      expect(leaf.ca).toBe(false);
      expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
      const spki = Buffer.from(await crypto.subtle.exportKey('spki', keys.publicKey));
      expect(Buffer.from(issued.publicKeySpki)).toEqual(spki);
      expect(leaf.publicKey.export({ type: 'spki', format: 'der' })).toEqual(spki);

      expect(leaf.validFromDate).toEqual(issued.notBefore);
      expect(leaf.validToDate).toEqual(issued.notAfter);
      expect(issued.notAfter.getTime() - before).toBeGreaterThan(DAY_MS - 60_000);
      expect(issued.notAfter.getTime() - before).toBeLessThanOrEqual(DAY_MS + 60_000);
    });

    it('PKI-10 lets a certificate begin five minutes ago, for a clock that is behind', async () => {
      const ca = await make();
      const { der } = await makeCsr();
      const { notBefore, notAfter } = await ca.signDevice({
        csr: der,
        commonName: DEVICE,
        validityMs: DAY_MS,
      });
      expect(notAfter.getTime() - notBefore.getTime()).toBe(DAY_MS + 5 * 60_000);
    });

    it('uses the serial number that the caller has committed', async () => {
      const ca = await make();
      const { der } = await makeCsr();
      const serial = '4a0b0c0d0e0f10111213141516171819';
      const issued = await ca.signDevice({ csr: der, commonName: DEVICE, validityMs: DAY_MS, serial });
      expect(issued.serial).toBe(serial);
      expect(new X509Certificate(issued.leafDer).serialNumber.toLowerCase()).toBe(serial);
    });

    it('draws a new serial number for every certificate', async () => {
      const ca = await make();
      const { der } = await makeCsr();
      const sign = () => ca.signDevice({ csr: der, commonName: DEVICE, validityMs: DAY_MS });
      const serials = (await Promise.all([sign(), sign(), sign(), sign()])).map(({ serial }) => serial);
      expect(new Set(serials).size).toBe(4);
    });

    it('reads the public key of a request without signing', async () => {
      const ca = await make();
      const { der, keys } = await makeCsr();
      const { publicKeySpki } = await ca.readCsr(der);
      expect(Buffer.from(publicKeySpki)).toEqual(
        Buffer.from(await crypto.subtle.exportKey('spki', keys.publicKey)),
      );
    });

    it('signs a server for its names and addresses, and nothing else', async () => {
      const ca = await make();
      const issued = await ca.signServer({ names: ['localhost', '127.0.0.1', '::1'] });
      const leaf = new X509Certificate(issued.leafDer);
      expect(leaf.checkHost('localhost')).toBe('localhost');
      expect(leaf.checkHost('example.org')).toBeUndefined();
      expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1');
      expect(leaf.checkIP('::1')).toBeDefined();
      expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
      expect(leaf.ca).toBe(false);
    });

    it('gives devices and services certificates that a TLS listener accepts', async () => {
      const ca = await make();
      const { server, device } = await makeParties(ca);
      const service = await ca.signService({ commonName: 'ares-ingest' });
      const common = { ca: ca.caCertificates.root, crl: await ca.crls([]), server };
      expect(await tryHandshake({ ...common, client: device })).toEqual({
        accepted: true,
        commonName: DEVICE,
      });
      expect(await tryHandshake({ ...common, client: service })).toEqual({
        accepted: true,
        commonName: 'ares-ingest',
      });
    });

    describe('refusing', () => {
      it('CLM-06 a request whose own signature is broken', async () => {
        const ca = await make();
        const { der } = await makeCsr();
        der[der.length - 5]! ^= 1;
        await expectRefusal(ca, der, 'CSR_SIGNATURE_INVALID');
      });

      it('CLM-06 a request that names another key than the one that signed it', async () => {
        const ca = await make();
        const [mine, victim] = [await makeCsr(), await makeCsr()];
        const key = async (made: typeof mine) =>
          Buffer.from(await crypto.subtle.exportKey('spki', made.keys.publicKey));
        const forged = Buffer.from(mine.der);
        (await key(victim)).copy(forged, forged.indexOf(await key(mine)));
        await expectRefusal(ca, forged, 'CSR_SIGNATURE_INVALID');
      });

      it('CLM-07 whatever a request asks for beside its key', async () => {
        const ca = await make();
        const { der } = await makeCsr({
          subject: `CN=${OTHER_DEVICE}, O=Evil`,
          extensions: [
            new x509.BasicConstraintsExtension(true, 2, true),
            new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], true),
            new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
            new x509.SubjectAlternativeNameExtension([
              { type: 'dns', value: '*.example.org' },
              { type: 'dns', value: OTHER_DEVICE },
            ]),
          ],
        });
        const issued = await ca.signDevice({ csr: der, commonName: DEVICE, validityMs: DAY_MS });
        const leaf = new X509Certificate(issued.leafDer);
        expect(leaf.subject).toBe(`CN=${DEVICE}`);
        expect(leaf.subjectAltName).toBeUndefined();
        expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
        // Node's `ca` also looks at the key usage, so each is read by itself.
        const parsed = new x509.X509Certificate(issued.leafDer.slice());
        expect(parsed.getExtension(x509.BasicConstraintsExtension)).toMatchObject({
          ca: false,
          critical: true,
        });
        expect(parsed.getExtension(x509.KeyUsagesExtension)?.usages).toBe(
          x509.KeyUsageFlags.digitalSignature,
        );
      });

      it.each(REFUSED_KEYS)('CLM-08 a key that is $what', async ({ algorithm }) => {
        const ca = await make();
        const keys = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
        const csr = await x509.Pkcs10CertificateRequestGenerator.create({
          keys,
          signingAlgorithm: algorithm,
        });
        await expectRefusal(ca, Buffer.from(csr.rawData), 'KEY_REFUSED');
      });

      it('CLM-08 a P-224 key, which most libraries no longer make', async () => {
        const ca = await make();
        await expectRefusal(ca, Buffer.from(P224_REQUEST, 'base64'), 'KEY_REFUSED');
      });

      it.each(PUBLISHED_KEYS)('CLM-08 $what, which anybody can sign with', async ({ jwk }) => {
        const ca = await make();
        const key = { kty: 'EC', crv: 'P-256', ...jwk };
        const { d: _, ...half } = key;
        const { der } = await makeCsr({
          keys: {
            privateKey: await crypto.subtle.importKey(
              'jwk',
              key,
              { name: 'ECDSA', namedCurve: 'P-256' },
              true,
              ['sign'],
            ),
            publicKey: await crypto.subtle.importKey(
              'jwk',
              half,
              { name: 'ECDSA', namedCurve: 'P-256' },
              true,
              ['verify'],
            ),
          },
        });
        await expectRefusal(ca, der, 'KEY_REFUSED');
      });

      it.each(['nothing', 'junk', 'PEM', 'base64', 'trailing', 'cut', 'huge'] as const)(
        'CLM-09 a request that is not exactly one DER value: %s',
        async (form) => {
          const ca = await make();
          const { der } = await makeCsr();
          const forms = {
            nothing: Buffer.alloc(0),
            junk: Buffer.from('not a request at all'),
            PEM: Buffer.from(x509.PemConverter.encode(der, 'CERTIFICATE REQUEST')),
            base64: Buffer.from(der.toString('base64')),
            trailing: Buffer.concat([der, Buffer.from('x')]),
            cut: der.subarray(0, -1),
            huge: Buffer.alloc(1_000_000, 0x30),
          };
          await expectRefusal(ca, forms[form], 'CSR_MALFORMED');
        },
      );

      it.each([
        '',
        'device',
        '+',
        '#',
        'a/b',
        DEVICE.toUpperCase(),
        `${DEVICE}\0`,
        `${DEVICE}\n`,
        `${DEVICE},O=x`,
        'ares-ingest',
        'x'.repeat(65_536),
      ])('MQT-04 a common name that is no UUID (case %#)', async (commonName) => {
        const ca = await make();
        const { der } = await makeCsr();
        await expect(ca.signDevice({ csr: der, commonName, validityMs: DAY_MS })).rejects.toMatchObject({
          code: 'INVALID_NAME',
        });
      });

      it.each([DEVICE, 'ingest', 'ares-', 'ares-#', `ares-${'x'.repeat(64)}`, 'Ares-ingest'])(
        'MQT-05 a service name that could be taken for something else: %s',
        async (commonName) => {
          const ca = await make();
          await expect(ca.signService({ commonName })).rejects.toMatchObject({ code: 'INVALID_NAME' });
        },
      );

      it.each([
        [[]],
        [['']],
        [['*.example.org']],
        [['a b']],
        [['localhost', 'http://x']],
        [['x'.repeat(300)]],
      ])('a server name that is none: %j', async (names) => {
        const ca = await make();
        await expect(ca.signServer({ names })).rejects.toMatchObject({ code: 'INVALID_NAME' });
      });

      it.each([
        '',
        '00'.repeat(16),
        'ff'.repeat(16),
        `4${'0'.repeat(30)}`,
        'zz'.repeat(16),
        'AB'.repeat(16),
        '40'.repeat(21),
      ])('a serial number that is not one: %s', async (serial) => {
        const ca = await make();
        const { der } = await makeCsr();
        await expect(
          ca.signDevice({ csr: der, commonName: DEVICE, validityMs: DAY_MS, serial }),
        ).rejects.toMatchObject({ code: 'INVALID_SERIAL' });
        await expect(ca.crls([{ serial, at: new Date() }])).rejects.toMatchObject({ code: 'INVALID_SERIAL' });
      });

      it.each([0, -1, Number.NaN, 100 * 365 * DAY_MS])('a validity of %d ms', async (validityMs) => {
        const ca = await make();
        const { der } = await makeCsr();
        await expect(ca.signDevice({ csr: der, commonName: DEVICE, validityMs })).rejects.toMatchObject({
          code: 'INVALID_VALIDITY',
        });
      });

      it('MQT-01 a server certificate that is used as a client', async () => {
        const ca = await make();
        const { server } = await makeParties(ca);
        const outcome = await tryHandshake({
          ca: ca.caCertificates.root,
          crl: await ca.crls([]),
          server,
          client: server,
        });
        expect(outcome).toEqual({ accepted: false, reason: 'INVALID_PURPOSE' });
      });

      it('MQT-01 a device certificate that is used as a server', async () => {
        const ca = await make();
        const { device } = await makeParties(ca);
        await expect(
          tryHandshake({ ca: ca.caCertificates.root, server: device, client: device }),
        ).rejects.toMatchObject({ code: 'INVALID_PURPOSE' });
      });

      it('MQT-01 a device certificate of another authority', async () => {
        const [ca, other] = [await make(), await make()];
        if (ca.caCertificates.root === other.caCertificates.root) return;
        const { server } = await makeParties(ca);
        const { device } = await makeParties(other);
        const outcome = await tryHandshake({
          ca: ca.caCertificates.root,
          crl: await ca.crls([]),
          server,
          client: device,
        });
        expect(outcome.accepted).toBe(false);
      });

      it('a certificate that a device signs with its own certificate', async () => {
        const ca = await make();
        const { server, device, deviceKeys, deviceLeaf } = await makeParties(ca);
        const rogue = await makeCsr();
        const forged = await x509.X509CertificateGenerator.create({
          subject: `CN=${OTHER_DEVICE}`,
          issuer: deviceLeaf.subjectName,
          publicKey: rogue.keys.publicKey,
          signingKey: deviceKeys.privateKey,
          signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
        });
        const client = { keyPem: rogue.keyPem, chainPem: `${forged.toString('pem')}\n${device.chainPem}` };
        const outcome = await tryHandshake({ ca: ca.caCertificates.root, server, client });
        expect(outcome.accepted).toBe(false);
      });
    });

    describe('when a certificate is revoked', () => {
      it('PKI-01 lists it, so that a listener refuses it and still accepts the others', async () => {
        const ca = await make();
        const { server, device, serial } = await makeParties(ca);
        const sibling = await makeParties(ca);
        const crl = await ca.crls([{ serial, at: new Date(), reason: 'cessationOfOperation' }]);
        const common = { ca: ca.caCertificates.root, crl, server };
        expect(await tryHandshake({ ...common, client: device })).toEqual({
          accepted: false,
          reason: 'CERT_REVOKED',
        });
        expect(await tryHandshake({ ...common, client: sibling.device })).toMatchObject({ accepted: true });
      });

      it('accepts a serial number that is named twice', async () => {
        const ca = await make();
        const { serial } = await makeParties(ca);
        const at = new Date();
        const lists = await ca.crls([
          { serial, at },
          { serial, at, reason: 'keyCompromise' },
        ]);
        expect(lists.map((pem) => new x509.X509Crl(pem).entries.length).toSorted()).toEqual([0, 1]);
      });

      it('PKI-02 gives one list a CA, each signed by it, with the label that OpenSSL reads', async () => {
        const ca = await make();
        const lists = await ca.crls([]);
        expect(lists).toHaveLength(2);
        const issuers = [ca.caCertificates.root, ca.caCertificates.intermediate].map(
          (pem) => new x509.X509Certificate(pem),
        );
        for (const pem of lists) {
          expect(pem).toMatch(/^-----BEGIN X509 CRL-----\n/);
          const crl = new x509.X509Crl(pem);
          const issuer = issuers.find((candidate) => candidate.subject === crl.issuer);
          expect(await crl.verify({ publicKey: issuer! })).toBe(true);
        }
      });

      it('PKI-03 stays valid for 72 hours and is valid already', async () => {
        const ca = await make();
        for (const pem of await ca.crls([])) {
          const { thisUpdate, nextUpdate } = new x509.X509Crl(pem);
          const hoursLeft = (nextUpdate!.getTime() - Date.now()) / 3_600_000;
          expect(hoursLeft).toBeGreaterThan(71.9);
          expect(hoursLeft).toBeLessThanOrEqual(72);
          expect(thisUpdate.getTime()).toBeLessThan(Date.now());
        }
      });

      it('numbers its lists upwards', async () => {
        const ca = await make();
        const numbers = [];
        for (const lists of await Promise.all([ca.crls([]), ca.crls([]), ca.crls([])]))
          numbers.push(crlNumber(lists[0]!));
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        expect(new Set(numbers).size).toBe(3);
      });
    });
  });
}

const REFUSED_KEYS = [
  { what: 'RSA-1024', algorithm: rsa(1_024) },
  { what: 'RSA-2048', algorithm: rsa(2_048) },
  { what: 'P-384', algorithm: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' } },
  { what: 'Ed25519', algorithm: { name: 'Ed25519' } },
];

const PUBLISHED_KEYS = [
  {
    what: 'the example key of RFC 7515',
    jwk: {
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
    },
  },
  {
    what: 'the example key of RFC 7517',
    jwk: {
      x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
      y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
      d: '870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE',
    },
  },
  {
    what: 'the base point',
    jwk: {
      x: 'axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY',
      y: 'T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU',
      d: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE',
    },
  },
];

/** By `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-224 -subj /CN=x -nodes -outform DER`. */
const P224_REQUEST =
  'MIGzMGMCAQAwDDEKMAgGA1UEAwwBeDBOMBAGByqGSM49AgEGBSuBBAAhAzoABDO3b9dF7s5cKzKwmhf0psIoYCsJtva/F9SVYRSWYogLVQgjKjBcBX+YmmkHt81uvaO6FE/lnGt4oAAwCgYIKoZIzj0EAwIDQAAwPQIcFLKDK5aBIVv31RLop/We94n3hZ9+Qv9DBS4QQgIdAIJJlrM22k2PKpdDoka07sf4x7MYqHVT/5osC4A=';

function rsa(modulusLength: number) {
  return {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
}

async function expectRefusal(ca: CertificateAuthority, csr: Buffer, code: string): Promise<void> {
  await expect(ca.signDevice({ csr, commonName: DEVICE, validityMs: DAY_MS })).rejects.toMatchObject({
    code,
  });
  await expect(ca.readCsr(csr)).rejects.toMatchObject({ code });
}

async function makeParties(ca: CertificateAuthority) {
  const { der, keys, keyPem } = await makeCsr();
  const issued = await ca.signDevice({ csr: der, commonName: DEVICE, validityMs: DAY_MS });
  return {
    server: await ca.signServer({ names: ['localhost', '127.0.0.1'] }),
    device: { keyPem, chainPem: issued.chainPem },
    deviceKeys: keys,
    deviceLeaf: new x509.X509Certificate(issued.leafDer.slice()),
    serial: issued.serial,
  };
}

function splitPem(chain: string): string[] {
  return chain.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

function crlNumber(pem: string): number {
  const extension = new x509.X509Crl(pem).extensions.find(({ type }) => type === '2.5.29.20');
  const der = Buffer.from(extension!.value);
  return der.readUIntBE(2, der.length - 2);
}
