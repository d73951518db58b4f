import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  verify,
} from 'node:crypto';
import { orderTypes, type ProblemCode, type Standing, topics } from '@ares/protocol';
import {
  type CredentialsAnswer,
  type CredentialsRequest,
  credentialsSigningInput,
  type DeviceComponents,
  receiptSigningInput,
  standingSigningInput,
} from '@ares/protocol/http/device';
import { SignJWT } from 'jose';
import type { Trust } from '../../src/identity/types.ts';
import { type CloudApi, CloudApiError } from '../../src/ports/cloud-api.ts';
import { createTestAuthority, type TestAuthority } from './certificates.ts';

/** What a test looks at, and how it makes the cloud misbehave. */
export interface FakeDeviceApi {
  readonly authority: TestAuthority;
  readonly trust: Trust;
  readonly userEmail: string;
  /** The calls of one connection, for the port. */
  connect(): CloudApi;
  /** A pending claim, as a phone gets it. */
  claim(): { claimId: string; nonce: string };
  recoveryToken(): string;
  /** Requests for credentials that reached the cloud, in order. */
  readonly requests: CredentialsRequest[];
  readonly receipts: { assignment: number; orderId: string | null }[];
  /** Certificates issued, by hash of the CSR's bytes. */
  readonly issued: Map<string, CredentialsAnswer>;
  /** Every request that is made while set fails like this. */
  fault: CloudApiError | undefined;
  /** The next answer to a credentials request is lost after the certificate was made. */
  loseNextAnswer: boolean;
  standing: Standing;
  /** Life of the certificates that are issued next, epoch ms. */
  life: { notBefore: number; notAfter: number } | undefined;
  assignment: number;
  components: DeviceComponents;
  mqttPort: number;
  /** SPKI hash of the identity key that is pinned. */
  pinned: string | undefined;
  signReset(claims: { deviceUuid: string; assignment: number; topic?: string }): Promise<string>;
  /** Signs anything as an order, also what no honest cloud would. */
  sign(typ: string, claims: Record<string, unknown>): Promise<string>;
}

/** The device side of a cloud in this process: checks what the real one checks, and forgets nothing. */
export async function createFakeDeviceApi(options: { apiHost: string }): Promise<FakeDeviceApi> {
  const authority = await createTestAuthority();
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  const commandKey = {
    kty: 'OKP',
    crv: 'Ed25519',
    x: String(x),
    kid: 'c1',
    alg: 'EdDSA',
    use: 'sig',
  } as const;
  const nonces = new Set<string>();
  const claims = new Map<string, { nonce: string; csrHash: string | undefined }>();
  const tokens = new Map<string, string | undefined>();

  const api: FakeDeviceApi = {
    authority,
    trust: {
      v: 1,
      caCertificates: [authority.certificatePem],
      commandKeys: { keys: [commandKey] },
      tufRoot: null,
    },
    userEmail: 'owner@example.org',
    requests: [],
    receipts: [],
    issued: new Map(),
    fault: undefined,
    loseNextAnswer: false,
    standing: 'ACTIVE',
    life: undefined,
    assignment: 1,
    components: { items: [], types: [], rules: [], revision: 0 },
    mqttPort: 1,
    pinned: undefined,
    claim() {
      const claim = { claimId: randomUUID(), nonce: randomBytes(32).toString('base64url') };
      claims.set(claim.claimId, { nonce: claim.nonce, csrHash: undefined });
      return claim;
    },
    recoveryToken() {
      const token = randomBytes(32).toString('base64url');
      tokens.set(sha256(token), undefined);
      return token;
    },
    sign: (typ, payload) =>
      new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA', kid: 'c1', typ }).sign(privateKey),
    signReset: ({ deviceUuid, assignment, topic }) =>
      api.sign(orderTypes.reset, {
        aud: deviceUuid,
        asg: assignment,
        topic: topic ?? topics.systemReset.build({ deviceUuid }),
        jti: randomUUID(),
        iat: Date.now() / 1_000,
      }),
    connect: () => ({
      apiHost: options.apiHost,
      reach: async () => fail(),
      challenge: async () => {
        fail();
        const nonce = randomBytes(32).toString('base64url');
        nonces.add(nonce);
        return nonce;
      },
      credentials: async (request) => {
        fail();
        return credentials(request);
      },
      time: async (nonce) => {
        fail();
        return api.sign(orderTypes.time, { nonce, iat: Date.now() / 1_000 });
      },
      async standing({ deviceUuid, nonce, signature }) {
        fail();
        takeNonce(nonce);
        checkPinnedSignature(
          standingSigningInput({ apiHost: options.apiHost, deviceUuid, nonce }),
          signature,
        );
        const { standing, assignment } = api;
        const order = standing === 'RELEASED' ? await api.signReset({ deviceUuid, assignment }) : undefined;
        const payload = {
          aud: deviceUuid,
          nonce,
          iat: Date.now() / 1_000,
          standing,
          ...(order && { order }),
        };
        return api.sign(orderTypes.standing, payload);
      },
      async resetReceipt({ deviceUuid, assignment, orderId, nonce, signature }) {
        fail();
        takeNonce(nonce);
        const { apiHost } = options;
        checkPinnedSignature(
          receiptSigningInput({ apiHost, deviceUuid, assignment, orderId, nonce }),
          signature,
        );
        api.receipts.push({ assignment, orderId });
      },
      async components() {
        fail();
        return api.components;
      },
      close: async () => undefined,
    }),
  };

  const spkis = new Map<string, Buffer>();

  async function credentials(request: CredentialsRequest): Promise<CredentialsAnswer> {
    api.requests.push(request);
    const { grant, deviceUuid, cpuSerial, nonce } = request;
    const csr = Buffer.from(request.csr, 'base64url');
    const csrHash = sha256(csr);
    const spki = Buffer.from(request.identityKey, 'base64url');
    const bound =
      request.claimId ?? (request.recoveryToken === undefined ? '-' : sha256(request.recoveryToken));
    const { apiHost } = options;
    const text = credentialsSigningInput({ grant, apiHost, deviceUuid, cpuSerial, nonce, bound, csrHash });
    if (!verifies(spki, text, request.signature)) refuse('BAD_SIGNATURE');
    use(request, csrHash);
    api.pinned = sha256(spki);
    spkis.set(api.pinned, spki);
    const answer = api.issued.get(csrHash) ?? (await issue(csr, deviceUuid));
    api.issued.set(csrHash, answer);
    if (api.loseNextAnswer) {
      api.loseNextAnswer = false;
      throw new CloudApiError('CONNECT', 'the answer was lost');
    }
    return answer;
  }

  function use(request: CredentialsRequest, csrHash: string): void {
    const { grant, nonce } = request;
    if (grant === 'claim') {
      const claim = claims.get(request.claimId ?? '');
      if (claim === undefined || claim.nonce !== nonce) refuse('NONCE_UNKNOWN');
      if (claim.csrHash !== undefined && claim.csrHash !== csrHash) refuse('CLAIM_USED');
      claim.csrHash = csrHash;
      return;
    }
    takeNonce(nonce);
    const hash = sha256(Buffer.from(request.identityKey, 'base64url'));
    if (grant === 'recovery') {
      const token = sha256(request.recoveryToken ?? '');
      if (!tokens.has(token)) refuse('TOKEN_INVALID');
      const used = tokens.get(token);
      if (used !== undefined && used !== csrHash) refuse('TOKEN_INVALID');
      tokens.set(token, csrHash);
      return;
    }
    if (hash !== api.pinned) refuse('IDENTITY_MISMATCH');
    if (api.standing === 'RECOVERY_NEEDED') refuse('RECOVERY_NEEDED');
    if (api.standing === 'RELEASED') refuse('ASSIGNMENT_ENDED');
  }

  async function issue(csr: Buffer, deviceUuid: string): Promise<CredentialsAnswer> {
    const { pem, serial, notBefore, notAfter } = await authority.sign(csr, deviceUuid, api.life);
    return {
      certificateChain: pem,
      certificateSerial: serial,
      notBefore,
      notAfter,
      sharedSecret: randomBytes(32).toString('base64url'),
      kid: `a${api.assignment}.1`,
      assignment: api.assignment,
      userEmail: api.userEmail,
      mqtt: { host: '127.0.0.1', port: api.mqttPort },
      bootFloor: 0,
      hardwareVersion: 'sim-1',
      hardwareVariant: 'standard',
      cloudTime: Date.now(),
    };
  }

  function fail(): void {
    if (api.fault !== undefined) throw api.fault;
  }
  function takeNonce(nonce: string): void {
    if (!nonces.delete(nonce)) refuse('NONCE_UNKNOWN');
  }
  function checkPinnedSignature(text: string, signature: string): void {
    const spki = spkis.get(api.pinned ?? '');
    if (spki === undefined || !verifies(spki, text, signature)) refuse('BAD_SIGNATURE');
  }
  return api;
}

function refuse(problem: ProblemCode): never {
  throw new CloudApiError('REFUSED', `The cloud answered ${problem}`, { problem });
}

function verifies(spki: Buffer, text: string, signature: string): boolean {
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  const bytes = Buffer.from(signature, 'base64url');
  return verify('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, bytes);
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
