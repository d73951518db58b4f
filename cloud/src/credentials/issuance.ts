import { ProblemError } from '@ares/protocol';
import type { CredentialsAnswer } from '@ares/protocol/http/device';
import { writeAudit } from '../audit/audit-log.ts';
import type { IssuedCertificate } from '../ports/certificate-authority.ts';
import { assignmentEnded, recoveryNeeded } from './begin-context.ts';
import * as repository from './repository.ts';
import { keyId, SHARED_SECRET_BYTES, sharedSecretContext } from './shared-secrets.ts';
import type { CredentialsConfig, CredentialsPorts } from './types.ts';

/**
 * How long one request waits for the certificate authority. The signing goes on without it, and the device finds
 * the certificate when it asks again.
 */
const ANSWER_WITHIN_MS = 8_000;
/** When an authority that never answers is asked anew. */
const GIVE_UP_MS = 60_000;
const RETRY_AFTER_SECONDS = 5;

/** Second and third step: signs outside of any transaction, stores, and answers from what is stored. */
export interface Issuance {
  /** @throws {ProblemError} UNAVAILABLE, ASSIGNMENT_ENDED, RECOVERY_NEEDED, CONFLICT */
  complete(certificateId: number, csr: Buffer): Promise<CredentialsAnswer>;
}

export function createIssuance(options: {
  readonly ports: CredentialsPorts;
  readonly config: CredentialsConfig;
  readonly answerWithinMs?: number;
}): Issuance {
  const { ports, config, answerWithinMs = ANSWER_WITHIN_MS } = options;
  const { database, secrets, clock, log } = ports;
  /** One signing a certificate at a time in this process; across processes the row decides who is first. */
  const running = new Map<number, Promise<void>>();

  async function issue(certificateId: number, csr: Buffer): Promise<void> {
    const row = await repository.certificateWithContext(database.db, certificateId);
    if (row.status !== 'PENDING') return;
    const issued = await ports.signing.sign({
      csr,
      commonName: row.device_uuid,
      validityMs: config.certificateMs,
      serial: row.serial,
    });
    const context = sharedSecretContext(row.device_uuid, row.number, row.secret_n);
    const sealed = row.sealed ?? (await secrets.seal(ports.random(SHARED_SECRET_BYTES), context));
    await store(row, issued, Buffer.from(sealed));
  }

  async function store(row: repository.CertificateContext, issued: IssuedCertificate, sealed: Buffer) {
    const now = new Date(clock.now());
    await database.db.transaction().execute(async (trx) => {
      await repository.lockDevice(trx, row.device_uuid);
      const pending = await trx
        .selectFrom('certificates as c')
        .innerJoin('assignments as a', 'a.id', 'c.assignment_id')
        .select('c.id')
        .where('c.id', '=', row.id)
        .where('c.status', '=', 'PENDING')
        .where('a.ended_at', 'is', null)
        .executeTakeFirst();
      // Another replica was first, or the device was released or revoked meanwhile: what was signed is dropped.
      if (pending === undefined) return;
      await trx
        .updateTable('certificates')
        .set({ status: 'SUPERSEDED', superseded_until: new Date(now.getTime() + config.overlapMs) })
        .where('device_id', '=', row.device_id)
        .where('status', '=', 'ACTIVE')
        .execute();
      await trx
        .updateTable('certificates')
        .set({
          status: 'ACTIVE',
          serial: issued.serial,
          chain_pem: issued.chainPem,
          not_before: issued.notBefore,
          not_after: issued.notAfter,
        })
        .where('id', '=', row.id)
        .execute();
      await trx
        .insertInto('assignment_secrets')
        .values({ assignment_id: row.assignment_id, n: row.secret_n, sealed, created_at: now })
        .onConflict((conflict) => conflict.columns(['assignment_id', 'n']).doNothing())
        .execute();
      await writeAudit(trx, {
        actorUserId: null,
        action: 'certificate.issue',
        objectType: 'certificate',
        objectId: issued.serial,
        detail: { deviceUuid: row.device_uuid, assignment: row.number },
      });
      await database.notify(trx, 'device', { deviceUuid: row.device_uuid });
    });
  }

  async function answer(certificateId: number): Promise<CredentialsAnswer> {
    const row = await repository.certificateWithContext(database.db, certificateId);
    if (row.ended_at !== null) throw assignmentEnded();
    if (row.life_cycle === 'RECOVERY_NEEDED') throw recoveryNeeded();
    if (row.status !== 'ACTIVE' || row.chain_pem === null || row.sealed === null) {
      throw new ProblemError('CONFLICT', 'A later request of this device took the place of this one.');
    }
    const context = sharedSecretContext(row.device_uuid, row.number, row.secret_n);
    const secret = await secrets.open(row.sealed, context);
    return {
      certificateChain: row.chain_pem,
      certificateSerial: row.serial,
      notBefore: row.not_before!.getTime(),
      notAfter: row.not_after!.getTime(),
      sharedSecret: Buffer.from(secret).toString('base64url'),
      kid: keyId(row.number, row.secret_n),
      assignment: row.number,
      userEmail: row.email,
      mqtt: { ...config.mqtt },
      bootFloor: await repository.bootFloor(database.db, row.device_id),
      hardwareVersion: row.hardware_version,
      hardwareVariant: row.hardware_variant,
      cloudTime: clock.now(),
    };
  }

  function start(certificateId: number, csr: Buffer): Promise<void> {
    const known = running.get(certificateId);
    if (known !== undefined) return known;
    const work = issue(certificateId, csr);
    const forget = () => {
      if (running.get(certificateId) === work) running.delete(certificateId);
      clearTimeout(stuck);
    };
    const stuck = setTimeout(forget, GIVE_UP_MS).unref();
    running.set(certificateId, work);
    work.then(forget, (error: Error) => {
      forget();
      if (!(error instanceof ProblemError))
        log.error({ error: error.message }, 'a certificate was not signed');
    });
    return work;
  }

  return {
    async complete(certificateId, csr) {
      try {
        await within(start(certificateId, csr), answerWithinMs);
      } catch (error) {
        if (error instanceof ProblemError) throw error;
        throw new ProblemError('UNAVAILABLE', 'The certificate cannot be signed just now: send this again.', {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
          cause: error,
        });
      }
      return answer(certificateId);
    },
  };
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
