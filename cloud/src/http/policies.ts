import { isUuid, ProblemError } from '@ares/protocol';
import { type Policy, policies, policyRule, type Role, type Route } from '@ares/protocol/http';
import { isAdmin } from '../accounts/types.ts';
import type { Caller, DeviceAccess, DevicePeer, HistoryAccess } from './handlers.ts';

/** What a policy may look at. */
interface PolicyRequest {
  /** The `authorization` header, or `''`. */
  readonly authorization: string;
  /** The `{id}` of the path, checked by the contract. @throws {ProblemError} INVALID_REQUEST */
  readonly deviceUuid: () => string;
  /** The `{userId}` of the path, checked by the contract. @throws {ProblemError} INVALID_REQUEST */
  readonly userUuid: () => string;
  /** Certificate of a client that passed the TLS check against our root. */
  readonly certificate: PresentedCertificate | undefined;
}

/** A certificate whose chain and validity TLS has verified; whether it still counts is for the table to say. */
export interface PresentedCertificate {
  readonly commonName: string;
  /** Lower-case hex. */
  readonly serial: string;
}

/** What a policy found out about the sender. */
interface Grant {
  readonly caller?: Caller;
  readonly access?: DeviceAccess | HistoryAccess;
  readonly device?: DevicePeer;
  /** When the right ends, epoch ms; a stream does not outlive it. */
  readonly expiresAt?: number;
}

/** The user of an access token, and what goes with it. */
export interface SignedIn {
  readonly caller: Caller;
  readonly expiresAt: number;
  /** He must verify his e-mail before he may do more than look after his account. */
  readonly unverified?: boolean;
}

/** Where policies look things up; each look-up happens at every request, so a withdrawn right ends at once. */
export interface PolicyLookups {
  /** @returns the user of a valid access token, as the table knows him now */
  callerOf(accessToken: string): Promise<SignedIn | undefined>;
  /** @returns `undefined` for an unknown device and for one that the caller has nothing to do with */
  accessOf(caller: Caller, deviceUuid: string): Promise<DeviceAccess | undefined>;
  /** @returns `undefined` for an unknown device and for one that never had anything to do with the caller */
  historyAccessOf(caller: Caller, deviceUuid: string): Promise<HistoryAccess | undefined>;
  /** @returns the device whose certificate this is, if the table accepts it at this moment */
  deviceOf(certificate: PresentedCertificate): Promise<DevicePeer | undefined>;
}

/** One function for each policy of the contract. @throws {ProblemError} when it does not allow the request */
export type Policies = { readonly [P in Policy]: (request: PolicyRequest) => Promise<Grant> };

/** The table of policies at work: who sends the request, what is the object to him, does the table allow it. */
export function createPolicies(lookups: PolicyLookups): Policies {
  async function signedIn(request: PolicyRequest) {
    const token = /^Bearer ([\w.~+/-]+=*)$/i.exec(request.authorization)?.[1];
    if (token === undefined) {
      throw new ProblemError(
        'AUTHENTICATION_REQUIRED',
        'Sign in with POST /auth/login and send its accessToken as "Authorization: Bearer <accessToken>".',
      );
    }
    const found = await lookups.callerOf(token);
    if (found === undefined) {
      throw new ProblemError(
        'AUTHENTICATION_REQUIRED',
        'The access token is not valid any more; sign in again.',
      );
    }
    return found;
  }

  /** What the object of the path is to the caller. @throws {ProblemError} NOT_FOUND when it is foreign to him */
  async function standTo(
    object: 'device' | 'device-past' | 'user' | undefined,
    caller: Caller,
    request: PolicyRequest,
  ): Promise<{ role?: Role; access?: DeviceAccess | HistoryAccess }> {
    switch (object) {
      case undefined:
        return {};
      case 'user': {
        const isSelf = request.userUuid() === caller.userUuid;
        if (!isSelf && !isAdmin(caller)) throw new ProblemError('NOT_FOUND', 'There is no such user.');
        return isSelf ? { role: 'self' } : {};
      }
      case 'device': {
        const deviceUuid = request.deviceUuid();
        const access = await lookups.accessOf(caller, deviceUuid);
        if (access === undefined) throw notYours(deviceUuid);
        return access.role === 'admin' ? { access } : { access, role: access.role };
      }
      case 'device-past': {
        const deviceUuid = request.deviceUuid();
        const access = await lookups.historyAccessOf(caller, deviceUuid);
        if (access === undefined) throw notYours(deviceUuid);
        return access.everything ? { access } : { access, role: 'former' };
      }
    }
  }

  async function person(policy: Policy, request: PolicyRequest): Promise<Grant> {
    const { object, allows, refusal, unverified } = policyRule(policy);
    const found = await signedIn(request);
    if (found.unverified === true && unverified !== true) {
      throw new ProblemError(
        'EMAIL_UNVERIFIED',
        'Show the code that was mailed to you to POST /auth/verify-email first; POST /api/users/me/verification sends another one.',
      );
    }
    const { role, access } = await standTo(object, found.caller, request);
    const held: readonly Role[] = ['user', ...found.caller.roles, ...(role === undefined ? [] : [role])];
    if (!held.some((one) => allows.includes(one))) {
      throw new ProblemError('FORBIDDEN', refusal ?? 'You may not do this.');
    }
    const { caller, expiresAt } = found;
    return { caller, expiresAt, ...(access !== undefined && { access }) };
  }

  async function certified(request: PolicyRequest): Promise<Grant> {
    const granted = await signed(request);
    if (granted.device === undefined) {
      throw new ProblemError(
        'CERTIFICATE_REQUIRED',
        'Connect with the device certificate that this cloud issued and has not revoked.',
      );
    }
    if (granted.device.deviceUuid !== request.deviceUuid()) {
      throw new ProblemError('NOT_FOUND', 'The certificate belongs to another device.');
    }
    return granted;
  }

  /** The signature in the body is for the service to check; a certificate that came along is looked up here. */
  async function signed({ certificate }: PolicyRequest): Promise<Grant> {
    if (certificate === undefined || !isUuid(certificate.commonName)) return {};
    const found = await lookups.deviceOf(certificate);
    return found === undefined ? {} : { device: found };
  }

  const byProof = {
    none: () => async () => ({}),
    token: (policy: Policy) => (request: PolicyRequest) => person(policy, request),
    certificate: () => certified,
    signature: () => signed,
  };
  const names = Object.keys(policies) as Policy[];
  return Object.fromEntries(
    names.map((policy) => [policy, byProof[policyRule(policy).proof](policy)]),
  ) as unknown as Policies;
}

/** @throws {TypeError} for a route whose policy is not in the table: nothing is served on a guess */
export function assertPolicies(routes: readonly Route[], known: object = policies): void {
  for (const { id, policy } of routes) {
    if (policy === undefined || !Object.hasOwn(known, policy)) {
      throw new TypeError(`The route ${id} of the contract names no policy that exists (${String(policy)}).`);
    }
  }
}

/** The same words for "not there" and "not yours": an answer must not tell strangers which devices exist. */
function notYours(deviceUuid: string): ProblemError {
  return new ProblemError('NOT_FOUND', `You have no device ${deviceUuid}.`);
}
