import type { AnswerOf, Contract } from '@ares/protocol/http';

type ItemOf<A> = A extends { items: (infer I)[] } ? I : never;

export type Session = AnswerOf<Contract['login']>;
export type User = Session['user'];
export type Device = AnswerOf<Contract['getDevice']>;
export type Presence = Device['presence'];
/** The live state as the panel received and checked it. */
export type StateDocument = AnswerOf<Contract['state']>;
export type ComponentState = StateDocument['components'][number];
export type Component = ItemOf<AnswerOf<Contract['listComponents']>>;
export type ComponentType = ItemOf<AnswerOf<Contract['listComponentTypes']>>;
export type Command = ItemOf<AnswerOf<Contract['listCommands']>>;
