import { importJWK, jwtVerify, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import type { SecretStore } from '../../cloud/src/ports/secret-store.ts';

/** Two handles on one empty store, as two processes of the cloud have them. */
export type StorePair = { readonly store: SecretStore; readonly same: SecretStore };

/** What every secret store must do; `make` gives two handles on one new store. */
export function describeSecretStore(name: string, make: () => Promise<StorePair>): void {
  const secret = Buffer.from('canary-7f3a91');

  describe(`${name} as a secret store`, () => {
    it('opens what it sealed, in another process too', async () => {
      const { store, same } = await make();
      const sealed = await store.seal(secret, 'assignment-secret:17');
      expect(Buffer.from(await same.open(sealed, 'assignment-secret:17'))).toEqual(secret);
    });

    it.each([0, 1, 32, 100_000])('seals %d bytes', async (length) => {
      const { store } = await make();
      const plaintext = Buffer.alloc(length, 7);
      expect(Buffer.from(await store.open(await store.seal(plaintext, 'c'), 'c'))).toEqual(plaintext);
    });

    it('seals the same value differently each time and shows nothing of it', async () => {
      const { store } = await make();
      const [first, second] = [await store.seal(secret, 'c'), await store.seal(secret, 'c')];
      expect(Buffer.from(first).equals(second)).toBe(false);
      expect(Buffer.from(first).includes(secret)).toBe(false);
    });

    it('keeps, replaces and forgets named secrets', async () => {
      const { store, same } = await make();
      expect(await store.get('smtp-password')).toBeUndefined();
      await store.put('smtp-password', secret);
      expect(Buffer.from((await same.get('smtp-password'))!)).toEqual(secret);
      await same.put('smtp-password', Buffer.from('other'));
      expect(Buffer.from((await store.get('smtp-password'))!).toString()).toBe('other');
      await store.delete('smtp-password');
      expect(await same.get('smtp-password')).toBeUndefined();
      await store.delete('smtp-password');
    });

    it('lets one of many racing creators win, and all read its value', async () => {
      const { store, same } = await make();
      const values = Array.from({ length: 10 }, (_, index) => Buffer.from(`value ${index}`));
      const won = await Promise.all(
        values.map((value, index) => (index % 2 ? store : same).create('group-name', value)),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(Buffer.from((await store.get('group-name'))!)).toEqual(values[won.indexOf(true)]);
    });

    it('gives one key pair a name, the same in every process however many ask first', async () => {
      const { store, same } = await make();
      const pairs = await Promise.all([
        store.keyPair('command'),
        same.keyPair('command'),
        store.keyPair('command'),
      ]);
      expect(new Set(pairs.map(({ kid }) => kid)).size).toBe(1);
      expect((await store.keyPair('access-token')).kid).not.toBe(pairs[0]!.kid);
    });

    it('gives keys that jose signs and verifies with', async () => {
      const { store } = await make();
      const { kid, privateJwk, publicJwk } = await store.keyPair('command');
      const token = await new SignJWT({ hello: 'world' })
        .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'command+jwt' })
        .sign(await importJWK({ ...privateJwk }, 'EdDSA'));
      const { payload } = await jwtVerify(token, await importJWK({ ...publicJwk }, 'EdDSA'), {
        algorithms: ['EdDSA'],
      });
      expect(payload).toEqual({ hello: 'world' });
    });

    it('CLM-14 shows no private member in the public half of a key', async () => {
      const { store } = await make();
      const { publicJwk } = await store.keyPair('command');
      expect(Object.keys(publicJwk).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
    });

    describe('refusing', () => {
      it('a sealed value in another context', async () => {
        const { store } = await make();
        const sealed = await store.seal(secret, 'assignment-secret:17');
        await expect(store.open(sealed, 'assignment-secret:18')).rejects.toMatchObject({
          code: 'SEALED_DAMAGED',
        });
      });

      it('a sealed value with any one bit flipped', async () => {
        const { store } = await make();
        const sealed = Buffer.from(await store.seal(secret, 'c'));
        for (let bit = 0; bit < sealed.length * 8; bit += 1) {
          const flipped = Buffer.from(sealed);
          flipped[bit >> 3]! ^= 1 << (bit & 7);
          const refusal = await store.open(flipped, 'c').then(
            () => undefined,
            (error: { code: string }) => error.code,
          );
          expect(refusal, `bit ${bit}`).toMatch(/^(SEALED_DAMAGED|KEY_MISMATCH)$/);
        }
      });

      it('a sealed value that was cut or lengthened', async () => {
        const { store } = await make();
        const sealed = Buffer.from(await store.seal(secret, 'c'));
        for (const wrong of [
          Buffer.alloc(0),
          sealed.subarray(0, 20),
          sealed.subarray(0, -1),
          Buffer.concat([sealed, Buffer.of(0)]),
        ]) {
          await expect(store.open(wrong, 'c')).rejects.toMatchObject({ code: 'SEALED_DAMAGED' });
        }
      });

      it.each(['', '.', '..', '../x', 'a/b', 'a\\b', 'A', 'a\0', '.hidden', '-x', 'x'.repeat(101), 'a..b'])(
        'the name %j',
        async (bad) => {
          const { store } = await make();
          await expect(store.put(bad, secret)).rejects.toMatchObject({ code: 'INVALID_NAME' });
          await expect(store.get(bad)).rejects.toMatchObject({ code: 'INVALID_NAME' });
        },
      );

      it('SEC-02 without a word of the secret in the message', async () => {
        const { store } = await make();
        const sealed = await store.seal(secret, 'c');
        const error = await store.open(sealed, 'd').catch((caught: Error) => caught);
        expect(`${String(error)} ${JSON.stringify(error)} ${String((error as Error).cause)}`).not.toContain(
          'canary',
        );
      });
    });
  });
}
