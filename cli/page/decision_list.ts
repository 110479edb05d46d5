/**
 * What a run decided, and when: made by executing its plan once more beside it, with the decisions
 * written down. The player's own world goes without: a snapshot would hold all of them each time.
 */
import {
  decisionAt,
  unpackDecisions,
  type Decision,
  type DecisionColumns,
  type DecisionTape,
} from '../../bundles/decision_tape.ts';
import { decisionText } from '../../bundles/decision_text.ts';
import { armCanary } from '../../core/canary.ts';
import { Decisions, type DomainName } from '../../sim/decide.ts';
import { FAMILY } from '../../sim/identity.ts';
import { type PinnedDecision } from '../../sim/plan.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { type World } from '../../sim/world.ts';
import { type PlayerOptions } from './player.ts';
import { NONE, type Timeline } from './timeline.ts';

/** Chances that harm somebody; others shape what clients ask for. */
const FAULTS: ReadonlySet<string> = new Set<DomainName>([
  'loss', 'duplicate', 'corrupt', 'sectorLost', 'writeTorn', 'sectorGarbage',
]);

/** One that came true, for a list. */
export interface TakenDecision {
  readonly index: number;
  readonly event: number;
  readonly domain: string;
  readonly key: number;
  readonly text: string;
}

export class DecisionList {
  private readonly options: PlayerOptions;
  private world: World | null;
  private tape: DecisionTape | null = null;
  private columns: DecisionColumns | null = null;
  /** Of the plan's seed: makes keys of identities. */
  private readonly keys: Decisions;
  /** Indices of faults by chance that came true. */
  private taken = new Int32Array(0);

  constructor(options: PlayerOptions) {
    const { plan, canary, limits } = options;
    this.options = options;
    this.world = new WorldPlaces().start({ plan, canary, limits, recordDecisions: true });
    this.keys = new Decisions(plan.seedWords, []);
  }

  get complete(): boolean {
    return this.columns !== null;
  }

  /** Executes on; true once the list is complete. */
  work(timeIsUp: () => boolean): boolean {
    const { world } = this;
    if (world === null) return true;
    armCanary(this.options.canary);
    while (world.step()) {
      if ((world.events & 31) === 0 && timeIsUp()) return false;
    }
    const tape = world.decisionTape();
    if (tape === null) throw new Error('decisions: the world wrote none down');
    this.world = null;
    this.tape = tape;
    this.columns = unpackDecisions(tape);
    const taken: number[] = [];
    this.columns.domains.forEach((domain, i) => {
      if (FAULTS.has(tape.names.domains[domain] as string)) taken.push(i);
    });
    this.taken = Int32Array.from(taken);
    return true;
  }

  /** Faults by chance that came true: up to `max` at or before the event, the latest first. */
  before(event: number, max: number): readonly TakenDecision[] {
    const end = this.placeAfter(event);
    const near = this.taken.subarray(Math.max(0, end - max), end);
    return Array.from(near, (index) => this.item(index)).reverse();
  }

  /** Up to `max` after the event, the earliest first. */
  after(event: number, max: number): readonly TakenDecision[] {
    const first = this.placeAfter(event);
    return Array.from(this.taken.subarray(first, first + max), (index) => this.item(index));
  }

  private placeAfter(event: number): number {
    const { columns, taken } = this;
    if (columns === null) return 0;
    const at = taken.findIndex((index) => (columns.events[index] as number) > event);
    return at === -1 ? taken.length : at;
  }

  /** The network's identity of a message that was sent, by the entry of its sending; null: not found. */
  messageKey(timeline: Timeline, index: number): number | null {
    const { columns, tape } = this;
    if (columns === null || tape === null) return null;
    const fate = fateAtOnce(timeline, index);
    if (timeline.what(index) !== 'send' || (fate !== '' && fate !== 'loss')) return null;
    const event = timeline.events[index] as number;
    const from = timeline.nodes[index] as number;
    const to = timeline.peers[index] as number;
    // A message that leaves draws its delay, one that is lost its loss. The how manieth such message
    // on this link in this event is it?
    const domain = fate === '' ? 'delay' : 'loss';
    let place = 0;
    for (let i = timeline.firstOfEvent(event); i < index; i++) {
      const same = timeline.nodes[i] === from && timeline.peers[i] === to && timeline.what(i) === 'send';
      if (same && fateAtOnce(timeline, i) === fate) place++;
    }
    for (let i = firstOfEvent(columns.events, event); columns.events[i] === event; i++) {
      const decision = decisionAt(columns, tape.names, i);
      if (decision.domain !== domain || !isFrom(decision, from, to)) continue;
      if (place-- === 0) return this.keys.keyOf(decision.identity) >>> 0;
    }
    return null;
  }

  /** The pin that overrules a chance which came true. */
  veto({ domain, key }: TakenDecision): PinnedDecision {
    return { domain, key, value: 0 };
  }

  private item(index: number): TakenDecision {
    const { columns, tape } = this;
    const decision = decisionAt(columns as DecisionColumns, (tape as DecisionTape).names, index);
    return {
      index,
      event: decision.event,
      domain: decision.domain,
      key: this.keys.keyOf(decision.identity) >>> 0,
      text: decisionText(decision, (tape as DecisionTape).names),
    };
  }
}

/** Why the message of this sending was lost on the spot; '' when it was not. */
function fateAtOnce(timeline: Timeline, index: number): string {
  const partner = timeline.partners[index] as number;
  const gone = partner === index + 1 && timeline.what(partner) === 'drop';
  return gone && timeline.events[partner] === timeline.events[index] ? timeline.cause(partner) : '';
}

function isFrom({ identity }: Decision, from: number, to: number): boolean {
  const word = identity.words[0] ?? NONE;
  return identity.family === FAMILY.message && word >>> 16 === from && ((word >>> 8) & 0xff) === to;
}

/** In a sorted column: where the event begins. */
function firstOfEvent(events: Uint32Array, event: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle] as number) < event) low = middle + 1;
    else high = middle;
  }
  return low;
}
