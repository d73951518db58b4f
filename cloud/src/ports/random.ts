/** Cryptographically strong random bytes: `randomBytes` of node:crypto. */
export type RandomBytes = (size: number) => Buffer;
