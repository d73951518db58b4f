import { createPrivateKey, createPublicKey } from 'node:crypto';
import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import type { Job } from '../run-child.ts';

const EC_P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/** A certificate request for a key. The cloud sets the name itself; what stands here is for people. */
export const csr: Job<'csr'> = async ({ privateKeyPem, deviceUuid }) => {
  const privateKey = createPrivateKey(privateKeyPem);
  const keys = {
    privateKey: await crypto.subtle.importKey(
      'pkcs8',
      privateKey.export({ type: 'pkcs8', format: 'der' }),
      EC_P256,
      false,
      ['sign'],
    ),
    publicKey: await crypto.subtle.importKey(
      'spki',
      createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
      EC_P256,
      true,
      ['verify'],
    ),
  };
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${deviceUuid}`,
    keys,
    signingAlgorithm: { ...EC_P256, hash: 'SHA-256' },
  });
  return { csr: Buffer.from(request.rawData).toString('base64url') };
};
