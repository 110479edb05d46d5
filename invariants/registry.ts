/**
 * All checkers, in the order in which they run. Their claims in full: specs/invariants.md.
 *
 * The order decides which of several violations in one event is reported: the particular claim
 * before the general one, so that a failure names its cause.
 */
import { AckedDurability } from './acked_durability.ts';
import { Agreement } from './agreement.ts';
import { ClientHistory } from './client_history_checker.ts';
import { CommitMonotonicity } from './commit_monotonicity.ts';
import { ExactlyOnce } from './exactly_once.ts';
import { HashChain } from './hash_chain.ts';
import { type CheckerEntry } from './invariant.ts';
import { JournalConsistency } from './journal_consistency.ts';
import { Liveness } from './liveness.ts';
import { NoPanic } from './no_panic.ts';
import { OffsetMonotonicity } from './offset_monotonicity.ts';
import { Prefix } from './prefix.ts';
import { PrepareChain } from './prepare_chain.ts';
import { ReplicaConvergence } from './replica_convergence.ts';
import { ReplyConsistency } from './reply_consistency.ts';
import { StreamModel } from './stream_model.ts';
import { TornWriteRecovery } from './torn_write_recovery.ts';
import { ViewMonotonicity } from './view_monotonicity.ts';

export const CHECKERS: readonly CheckerEntry[] = Object.freeze([
  {
    id: 'no_panic',
    claim: 'No replica ends by itself unless a planted fault entitles it to',
    create: (context) => new NoPanic(context),
  },
  {
    id: 'torn_write_recovery',
    claim: 'Every prepare that a restarted journal vouches for lies whole on its disk',
    create: (context, observed) => new TornWriteRecovery(context, observed),
  },
  {
    id: 'view_monotonicity',
    claim: 'A view never goes back, and is durable before it is promised',
    create: (context, observed) => new ViewMonotonicity(context, observed),
  },
  {
    id: 'agreement',
    claim: 'No two replicas commit different prepares at one op',
    create: (context, observed) => new Agreement(context, observed),
  },
  {
    id: 'prefix',
    claim: 'What a replica has executed is a prefix of the one history, without gaps',
    create: (context, observed) => new Prefix(context, observed),
  },
  {
    id: 'commit_monotonicity',
    claim: "A node's commit number and its checkpoint never go back",
    create: (context, observed) => new CommitMonotonicity(context, observed),
  },
  {
    id: 'prepare_chain',
    claim: 'Committed prepares form one hash chain with views and times in order',
    create: (context, observed) => new PrepareChain(context, observed),
  },
  {
    id: 'exactly_once',
    claim: 'An acknowledged mutation takes effect once, any other at most once',
    create: (context, observed) => new ExactlyOnce(context, observed),
  },
  {
    id: 'offset_monotonicity',
    claim: 'Offsets of a stream are 0, 1, 2, …: none reused, none skipped',
    create: (context, observed) => new OffsetMonotonicity(context, observed),
  },
  {
    id: 'hash_chain',
    claim: 'Each record names the hash of the one before, and all hashes recompute',
    create: (context, observed) => new HashChain(context, observed),
  },
  {
    id: 'stream_model',
    claim: 'A naive model replaying the history predicts every reply to the byte',
    create: (context, observed) => new StreamModel(context, observed),
  },
  {
    id: 'reply_consistency',
    claim: 'One request has one reply, whoever computes or sends it',
    create: (context, observed) => new ReplyConsistency(context, observed),
  },
  {
    id: 'liveness',
    claim: 'Once faults end, every call is answered and the core converges',
    create: (context, observed) => new Liveness(context, observed),
  },
  {
    id: 'acked_durability',
    claim: 'What was acknowledged is durable on a quorum of disks and stays readable',
    create: (context, observed) => new AckedDurability(context, observed),
  },
  {
    id: 'replica_convergence',
    claim: 'Replicas at the same checkpoint are equal, byte for byte',
    create: (context, observed) => new ReplicaConvergence(context, observed),
  },
  {
    id: 'journal_consistency',
    claim: 'At rest, a journal holds every committed op above the checkpoint, twice and alike',
    create: (context, observed) => new JournalConsistency(context, observed),
  },
  {
    id: 'client_history',
    claim: 'What clients saw is linearizable',
    create: (context, observed) => new ClientHistory(context, observed),
  },
] satisfies CheckerEntry[]);

export const CHECKER_IDS: readonly string[] = CHECKERS.map((entry) => entry.id);

/** The entries with these ids, in registry order; all of them for no ids. Throws on an unknown id. */
export function checkersOf(ids: readonly string[]): readonly CheckerEntry[] {
  if (ids.length === 0) return CHECKERS;
  for (const id of ids) {
    if (!CHECKERS.some((entry) => entry.id === id)) throw new Error(`no invariant "${id}"`);
  }
  return CHECKERS.filter((entry) => ids.includes(entry.id));
}
