/**
 * Whether a search was right to take states for one, and messages for dead: by asking the real code
 * again, over all that the search has seen or an even share of it.
 *
 * - A state that was reached in two ways has two examples. The second must answer every step that
 *   the search took from the first as the first did: the same messages, the same for the checkers,
 *   the same state. By induction the two can do the same for ever.
 * - A message that was taken out of the network is delivered, in that state of its receiver and in
 *   all that follow from it. Nothing must come of it.
 */
import { Snapshot } from '../../snapshot.ts';
import { type Explorer } from './explorer.ts';
import { type LocalGraph, type LocalState, type Transition } from './local_graph.ts';
import { STEP, stepOf } from './steps.ts';

export interface Verification {
  /** Answers of second examples that were compared. */
  readonly answers: number;
  /** Deliveries of dead messages. */
  readonly deliveries: number;
  /** What is wrong; null: nothing. */
  readonly problem: string | null;
}

/** `share`: every n-th case of each kind; 1 for all. */
export function verify(explorer: Explorer, share: number): Verification {
  let answers = 0;
  for (const graph of explorer.graphs) {
    const compared = compareExamples(graph, share);
    answers += compared.count;
    if (compared.problem !== null) return { answers, deliveries: 0, problem: compared.problem };
  }
  const delivered = deliverDead(explorer, share);
  return { answers, deliveries: delivered.count, problem: delivered.problem };
}

interface Outcome {
  count: number;
  problem: string | null;
}

function compareExamples(graph: LocalGraph, share: number): Outcome {
  let count = 0;
  let number = 0;
  // What the search has asked so far: verifying must not look at its own questions.
  const asked = graph.asked();
  for (const { state, step, transitions } of asked) {
    for (const { to, choices, thrown } of transitions) {
      const known = graph.states[to] as LocalState;
      if (thrown !== null || (known.parent === state && known.step === step)) continue;
      if (number++ % share !== 0) continue;
      graph.load(state);
      graph.leave();
      graph.node.perform(step, choices);
      const second = Snapshot.of(graph.node.root);
      for (const question of asked) {
        if (question.state !== to) continue;
        count++;
        const problem = answersAlike(graph, second, question.step, question.transitions);
        if (problem !== null) return { count, problem: `${problem}; reached from state ${state} by ${step}` };
      }
    }
  }
  return { count, problem: null };
}

function answersAlike(
  graph: LocalGraph,
  second: Snapshot,
  step: number,
  expected: readonly Transition[],
): string | null {
  for (const transition of expected) {
    second.restore();
    const actual = graph.performed(step, transition.choices);
    const same =
      actual.to === transition.to &&
      actual.shown === transition.shown &&
      actual.thrown === transition.thrown &&
      actual.sent.join() === transition.sent.join();
    if (!same) {
      const who = `node ${graph.node.node}`;
      return `two examples of one state of ${who} differ after step ${step}: ` +
        `${JSON.stringify(transition)}, ${JSON.stringify(actual)}`;
    }
  }
  return null;
}

function deliverDead(explorer: Explorer, share: number): Outcome {
  const { cluster } = explorer;
  let count = 0;
  for (let message = 0; message < cluster.messages.count; message++) {
    const graph = explorer.graphs[cluster.messages.to(message)] as LocalGraph;
    for (const state of deadIn(explorer, graph, message)) {
      if (!(graph.states[state] as LocalState).facts.up) continue;
      if (count++ % share !== 0) continue;
      const transitions = graph.transitions(state, stepOf(STEP.deliver, message));
      if (transitions.length === 0) continue;
      const { text } = cluster.messages.name(message);
      return { count, problem: `${text} was taken for dead in state ${state} of node ${graph.node.node}` };
    }
  }
  return { count, problem: null };
}

/** States in which the message was taken out, and all that follow from them. */
function deadIn(explorer: Explorer, graph: LocalGraph, message: number): readonly number[] {
  const dead = new Uint8Array(graph.states.length);
  const list: number[] = [];
  for (let state = 0; state < dead.length; state++) {
    if (!explorer.isDeadIn(message, state)) continue;
    dead[state] = 1;
    list.push(state);
  }
  const following = graph.following();
  for (let i = 0; i < list.length; i++) {
    for (const next of following[list[i] as number] as readonly number[]) {
      if (dead[next] === 1) continue;
      dead[next] = 1;
      list.push(next);
    }
  }
  return list;
}
