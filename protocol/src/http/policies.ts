/** Whoever sends a request may stand in several of these roles at once. */
export const roles = {
  nobody: 'without credentials',
  user: 'signed in, whoever it is',
  self: 'the user whom the path names',
  viewer: 'the owner of the device lets him see it',
  former: 'owned the device before, or could see it',
  owner: 'owns the device',
  developer: 'system role `developer`',
  general_admin: 'system role `general_admin`',
  prime_admin: 'system role `prime_admin`',
  device: 'the device, by its certificate or its identity key',
} as const;

export type Role = keyof typeof roles;

/** Rule of a policy. */
interface PolicyRule {
  readonly means: string;
  /** What shows who it is: nothing, an access token, the device's certificate, or a signature in the body. */
  readonly proof: 'none' | 'token' | 'certificate' | 'signature';
  /** What `{id}` or `{userId}` of the path is looked up as; to whom it is foreign, it is 404. */
  readonly object?: 'device' | 'device-past' | 'user';
  /** One of these is enough. */
  readonly allows: readonly Role[];
  /** What somebody else hears, with 403. */
  readonly refusal?: string;
  /** Also before the e-mail is verified, where the installation asks for that. */
  readonly unverified?: true;
}

const ADMINS = ['general_admin', 'prime_admin'] as const;

/** Who may call a route: the one table, for the server, the documents and the tests. */
export const policies = {
  anyone: {
    means: 'Anybody',
    proof: 'none',
    allows: [
      'nobody',
      'user',
      'self',
      'viewer',
      'former',
      'owner',
      'developer',
      'general_admin',
      'prime_admin',
      'device',
    ],
  },
  account: {
    means: 'Whoever is signed in, also before his e-mail is verified, for his own account',
    proof: 'token',
    allows: ['user', 'self', 'viewer', 'former', 'owner', 'developer', ...ADMINS],
    unverified: true,
  },
  user: {
    means: 'Whoever is signed in, for what is his',
    proof: 'token',
    allows: ['user', 'self', 'viewer', 'former', 'owner', 'developer', ...ADMINS],
  },
  self: {
    means: 'The user himself, and administrators',
    proof: 'token',
    object: 'user',
    allows: ['self', ...ADMINS],
  },
  reader: {
    means: 'Owner and viewers of the device, and administrators',
    proof: 'token',
    object: 'device',
    allows: ['viewer', 'owner', ...ADMINS],
  },
  pastReader: {
    means: 'Who reads the device now or did before, for the time that was his; administrators for all of it',
    proof: 'token',
    object: 'device-past',
    allows: ['viewer', 'former', 'owner', ...ADMINS],
  },
  owner: {
    means: 'Owner of the device, and administrators',
    proof: 'token',
    object: 'device',
    allows: ['owner', ...ADMINS],
    refusal: 'You may look at this device; only its owner may do this.',
  },
  ownerOnly: {
    means: 'Owner of the device, and nobody in his place',
    proof: 'token',
    object: 'device',
    allows: ['owner'],
    refusal: 'Only the owner of the device may do this.',
  },
  developer: {
    means: 'Developers and administrators',
    proof: 'token',
    allows: ['developer', ...ADMINS],
    refusal: 'Only a developer or an administrator may do this.',
  },
  admin: {
    means: 'Administrators',
    proof: 'token',
    allows: ADMINS,
    refusal: 'Only an administrator may do this.',
  },
  primeAdmin: {
    means: 'The prime administrator',
    proof: 'token',
    allows: ['prime_admin'],
    refusal: 'Only the prime administrator may do this.',
  },
  device: {
    means: 'The device that the path names, with a certificate that stands',
    proof: 'certificate',
    allows: ['device'],
  },
  deviceKey: {
    means: 'The device that the body names, by a signature of its identity key',
    proof: 'signature',
    allows: ['device'],
  },
} as const satisfies Record<string, PolicyRule>;

export type Policy = keyof typeof policies;

/** The rule of a policy, with its optional members. */
export function policyRule(policy: Policy): PolicyRule {
  return policies[policy];
}
