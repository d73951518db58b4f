import type { OpenProblem, topics } from '@ares/protocol';
import type { SecurityEventCode } from '../ports/security-reporter.ts';

/** What is wrong with an order. */
export type OrderProblem = 'SIGNATURE' | 'TYPE' | 'CLAIMS' | 'AUDIENCE' | 'ASSIGNMENT' | 'TOPIC' | 'EXPIRED';

/**
 * `OK`: it proves where it comes from, and says what it should. `NO_PROOF`: messages of this topic carry none.
 * `UNCHECKED`: the tables could not be asked.
 */
export type Verdict =
  | 'OK'
  | 'NO_PROOF'
  | 'UNCHECKED'
  | 'UNKNOWN_TOPIC'
  | 'UNKNOWN_DEVICE'
  | 'NO_ASSIGNMENT'
  | 'SCHEMA'
  | OpenProblem
  | OrderProblem
  | SecurityEventCode;

/** A message as far as it can be believed. */
export interface Checked {
  readonly verdict: Verdict;
  /** Of the key that signed it. */
  readonly kid?: string;
  /** One line for people. */
  readonly detail: string;
  /** What it says; only of a message whose proof fits, or that needs none. */
  readonly body?: unknown;
}

/** A message that went through the broker. */
export interface Seen extends Checked {
  /** Epoch ms. */
  readonly at: number;
  readonly topic: string;
  /** Which topic it is; absent for one that Ares does not have. */
  readonly kind?: keyof typeof topics;
  /** Who speaks there, by the rights at the broker. */
  readonly from?: 'device' | 'cloud' | 'app' | 'operator';
  readonly deviceUuid?: string;
  readonly bytes: number;
}
