import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { ProblemError } from '@ares/protocol';

/** OWASP's choice for argon2id: 19 MiB, two passes, one lane. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const TAG_BYTES = 32;
const SALT_BYTES = 16;
const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22,86})\$([A-Za-z0-9+/]{43,86})$/;

export interface PasswordHasher {
  /** PHC string with a new salt. @throws {ProblemError} UNAVAILABLE when too many wait */
  hash(password: string): Promise<string>;
  /** `undefined` for an account that does not exist takes as long as a wrong password. */
  verify(password: string, phc: string | undefined): Promise<boolean>;
}

/**
 * argon2id of node:crypto. Each hash takes 19 MiB and a thread of the pool, so only a few run at a time and only
 * a bounded number wait: a flood of sign-ins slows itself and nothing else.
 */
export function createPasswordHasher(
  options: { readonly concurrent?: number; readonly waiting?: number } = {},
): PasswordHasher {
  const inTurn = createGate(options.concurrent ?? 2, options.waiting ?? 100);
  const derive = (parameters: Argon2Parameters) =>
    inTurn(async () => Buffer.from(await promisify(argon2)('argon2id', parameters)));
  const decoy = encode(randomBytes(SALT_BYTES), randomBytes(TAG_BYTES));

  return {
    async hash(password) {
      const nonce = randomBytes(SALT_BYTES);
      return encode(nonce, await derive({ message: bytes(password), nonce, ...COST, tagLength: TAG_BYTES }));
    },
    async verify(password, phc) {
      const parts = PHC.exec(phc ?? decoy);
      if (parts === null) return false;
      const [, memory, passes, parallelism, salt, tag] = parts;
      const expected = Buffer.from(tag!, 'base64');
      const found = await derive({
        message: bytes(password),
        nonce: Buffer.from(salt!, 'base64'),
        memory: Number(memory),
        passes: Number(passes),
        parallelism: Number(parallelism),
        tagLength: expected.length,
      });
      return timingSafeEqual(found, expected) && phc !== undefined;
    },
  };
}

/** The same password typed on two keyboards is the same text (RFC 8265 takes NFC too). */
function bytes(password: string): Buffer {
  return Buffer.from(password.normalize('NFC'));
}

function encode(salt: Buffer, tag: Buffer): string {
  const text = (value: Buffer) => value.toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${text(salt)}$${text(tag)}`;
}

/** At most `concurrent` run, at most `waiting` wait. */
function createGate(concurrent: number, waiting: number) {
  let running = 0;
  const queue: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= concurrent) {
      if (queue.length >= waiting) {
        throw new ProblemError('UNAVAILABLE', 'Too many people sign in right now; try again in a moment.', {
          retryAfterSeconds: 3,
        });
      }
      await new Promise<void>((turn) => queue.push(turn));
    } else running += 1;
    try {
      return await work();
    } finally {
      // The place is handed on, so nobody who comes later overtakes.
      const next = queue.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
