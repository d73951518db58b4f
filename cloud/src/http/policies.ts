import { isUuid, ProblemError } from '@ares/protocol';
import type { Policy } from '@ares/protocol/http';
import { isAdmin } from '../accounts/types.ts';
import type { Caller, DeviceAccess, DevicePeer, HistoryAccess } from './handlers.ts';

/** What a policy may look at. */
interface PolicyRequest {
  /** The `authorization` header, or `''`. */
  readonly authorization: string;
  /** The `{id}` of the path, checked by the contract. @throws {ProblemError} INVALID_REQUEST */
  readonly deviceUuid: () => string;
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

/** Where policies look things up; each look-up happens at every request, so a withdrawn right ends at once. */
export interface PolicyLookups {
  /** @returns the user of a valid access token, as the table knows him now */
  callerOf(accessToken: string): Promise<{ caller: Caller; expiresAt: number } | undefined>;
  /** @returns `undefined` for an unknown device and for one that the caller has nothing to do with */
  accessOf(caller: Caller, deviceUuid: string): Promise<DeviceAccess | undefined>;
  /** @returns `undefined` for an unknown device and for one that never had anything to do with the caller */
  historyAccessOf(caller: Caller, deviceUuid: string): Promise<HistoryAccess | undefined>;
  /** @returns the device whose certificate this is, if the table accepts it at this moment */
  deviceOf(certificate: PresentedCertificate): Promise<DevicePeer | undefined>;
}

/** One named function for each policy of the contract. @throws {ProblemError} when it does not allow the request */
export type Policies = { readonly [P in Policy]: (request: PolicyRequest) => Promise<Grant> };

export function createPolicies(lookups: PolicyLookups): Policies {
  async function anyone(): Promise<Grant> {
    return {};
  }

  async function user(request: PolicyRequest) {
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

  async function reader(request: PolicyRequest) {
    const signedIn = await user(request);
    const deviceUuid = request.deviceUuid();
    const access = await lookups.accessOf(signedIn.caller, deviceUuid);
    if (access === undefined) throw notYours(deviceUuid);
    return { ...signedIn, access };
  }

  async function pastReader(request: PolicyRequest) {
    const signedIn = await user(request);
    const deviceUuid = request.deviceUuid();
    const access = await lookups.historyAccessOf(signedIn.caller, deviceUuid);
    if (access === undefined) throw notYours(deviceUuid);
    return { ...signedIn, access };
  }

  async function owner(request: PolicyRequest) {
    const granted = await reader(request);
    if (granted.access.role === 'viewer') {
      throw new ProblemError('FORBIDDEN', 'You may look at this device; only its owner may do this.');
    }
    return granted;
  }

  async function admin(request: PolicyRequest) {
    const granted = await user(request);
    if (!isAdmin(granted.caller)) throw new ProblemError('FORBIDDEN', 'Only an administrator may do this.');
    return granted;
  }

  async function developer(request: PolicyRequest) {
    const granted = await user(request);
    if (!isAdmin(granted.caller) && !granted.caller.roles.includes('developer')) {
      throw new ProblemError('FORBIDDEN', 'Only a developer or an administrator may do this.');
    }
    return granted;
  }

  async function device(request: PolicyRequest) {
    const granted = await deviceKey(request);
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
  async function deviceKey({ certificate }: PolicyRequest): Promise<Grant> {
    if (certificate === undefined || !isUuid(certificate.commonName)) return {};
    const found = await lookups.deviceOf(certificate);
    return found === undefined ? {} : { device: found };
  }

  return { anyone, user, reader, pastReader, owner, admin, developer, device, deviceKey };
}

/** The same words for "not there" and "not yours": an answer must not tell strangers which devices exist. */
function notYours(deviceUuid: string): ProblemError {
  return new ProblemError('NOT_FOUND', `You have no device ${deviceUuid}.`);
}
