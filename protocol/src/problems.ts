/**
 * Problem codes of the HTTP API and the CLI (RFC 9457): closed, each with its status and title.
 * A client may switch over the codes; a new one is a change of the protocol.
 */
export const problems = {
  ALREADY_PREREGISTERED: { status: 409, title: 'This device is registered already' },
  AMBIGUOUS_COMPONENT: { status: 409, title: 'Several components match' },
  ASSIGNMENT_ENDED: { status: 409, title: 'The device was given away' },
  AUTHENTICATION_REQUIRED: { status: 401, title: 'Sign in first' },
  BAD_CREDENTIALS: { status: 401, title: 'Wrong e-mail or password' },
  BAD_CSR: { status: 400, title: 'The certificate request is not acceptable' },
  BAD_SIGNATURE: { status: 401, title: 'The signature does not fit' },
  BODY_TOO_LARGE: { status: 413, title: 'The request is too large' },
  CERTIFICATE_REQUIRED: { status: 401, title: 'A valid device certificate is needed' },
  CLAIM_EXPIRED: { status: 410, title: 'The claim has expired' },
  CLAIM_USED: { status: 409, title: 'The claim was used already' },
  CODE_INVALID: { status: 400, title: 'The code is not valid' },
  COMPONENT_IN_USE: { status: 409, title: 'The component is in use' },
  CONFLICT: { status: 409, title: 'The request conflicts with the present state' },
  DEVICE_BLOCKED: { status: 403, title: 'The device is blocked' },
  DEVICE_OFFLINE: { status: 409, title: 'The device is not connected' },
  DEVICE_OWNED: { status: 409, title: 'The device has an owner' },
  EMAIL_TAKEN: { status: 409, title: 'This e-mail is registered already' },
  EMAIL_UNVERIFIED: { status: 403, title: 'Verify your e-mail first' },
  FORBIDDEN: { status: 403, title: 'Not allowed for your role' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'The Idempotency-Key belongs to another request' },
  IDENTITY_MISMATCH: { status: 409, title: 'Not the identity that was registered' },
  IDENTITY_UNKNOWN: { status: 409, title: 'The identity key of this device is not registered' },
  INTERNAL: { status: 500, title: 'Something went wrong on our side' },
  INVALID_REQUEST: { status: 400, title: 'The request is not valid' },
  KEY_IN_USE: { status: 409, title: 'The key belongs to another device' },
  LAST_ADMINISTRATOR: { status: 409, title: 'Somebody must stay prime administrator' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method not allowed' },
  NONCE_EXPIRED: { status: 410, title: 'The nonce has expired' },
  NONCE_UNKNOWN: { status: 401, title: 'The nonce is not known' },
  NOT_FOUND: { status: 404, title: 'Not found' },
  PIN_CONFLICT: { status: 409, title: 'Two components on one pin' },
  PIN_NOT_ALLOWED: { status: 409, title: 'This pin is not allowed for the component' },
  PIN_RESERVED: { status: 409, title: 'This pin is reserved' },
  PRECONDITION_FAILED: { status: 412, title: 'Somebody else changed it meanwhile' },
  RECOVERY_NEEDED: { status: 409, title: 'The device must be recovered by its owner' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request took too long to arrive' },
  TOKEN_INVALID: { status: 401, title: 'The token is not valid' },
  TOO_MANY_REQUESTS: { status: 429, title: 'Too many requests' },
  UNAVAILABLE: { status: 503, title: 'Not available right now' },
  UNKNOWN_ACTION: { status: 400, title: 'The component has no such action' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'Send application/json' },
  UUID_TAKEN: { status: 409, title: 'Another device has this UUID' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof problems;

/** Every code, for schemas and documents. */
export const problemCodes = Object.keys(problems) as [ProblemCode, ...ProblemCode[]];

/** One part of the request that is wrong. */
export interface ProblemIssue {
  readonly path: string;
  readonly message: string;
}

/** The one error shape on the wire: `application/problem+json`. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  /** What was wrong and what to do. */
  readonly detail: string;
  readonly issues?: readonly ProblemIssue[];
  readonly requestId?: string;
}

/**
 * An error that its caller may see. `detail` says what was wrong and what to do; what only the log may see
 * goes to `cause`.
 */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  readonly issues: readonly ProblemIssue[];
  /** For 429 and 503: when to try again, in seconds. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ProblemCode,
    detail: string,
    options: { issues?: readonly ProblemIssue[]; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.issues = options.issues ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return problems[this.code].status;
  }

  toDetails(requestId?: string): ProblemDetails {
    const { status, title } = problems[this.code];
    return {
      type: `urn:ares:problem:${this.code}`,
      title,
      status,
      code: this.code,
      detail: this.message,
      ...(this.issues.length > 0 && { issues: this.issues }),
      ...(requestId !== undefined && { requestId }),
    };
  }
}
