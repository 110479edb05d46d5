/**
 * Messages that can never again do anything where they are going, and are taken out of the state:
 * otherwise every state would come once for each way in which the dead are still on their way.
 *
 * By argument from the protocol, beside each rule below; and verification.ts delivers such messages in
 * every state that their receiver can get to from there, and sees that nothing happens.
 */
import { CANARY, type CanaryId } from '../../../core/canary.ts';
import { COMMAND } from '../../../core/message/header.ts';
import { type MessageStore } from './message_store.ts';
import { type NodeFacts } from './steps.ts';

/** `facts`: the state of the receiver. */
export type DeadRule = (
  messages: MessageStore,
  number: number,
  facts: NodeFacts,
  canary: CanaryId,
) => boolean;

export const isDead: DeadRule = (messages, number, facts, canary) => {
  const view = messages.view(number);
  const { viewFloor } = facts;
  switch (messages.command(number)) {
    // A view that is durable is never left backwards, by no process, and what speaks of an earlier
    // one is ignored by all handlers.
    case COMMAND.startViewChange:
    case COMMAND.requestStartView:
    case COMMAND.commit:
      return view < viewFloor;
    case COMMAND.startView:
      return view < viewFloor && canary !== CANARY.staleViewAccepted;
    // Nor is one looked at once its log is fixed: a primary that started the view has its quorum,
    // and one that restarted since moves on to the next. Others look for a newer view only.
    case COMMAND.doViewChange:
      return view < viewFloor || (view === viewFloor && (view <= facts.logFloor || !facts.leads));
    // What is executed has left the pipeline, and in its view no other prepare takes that op.
    case COMMAND.prepareOk:
      return view < viewFloor || (view === viewFloor && messages.op(number) <= facts.executed);
    // Request numbers only grow, and one that is answered is not asked again.
    case COMMAND.reply:
      return messages.request(number) < facts.requestFloor;
    case COMMAND.pongClient:
      return view <= facts.viewKnown;
    default:
      return false;
  }
};
