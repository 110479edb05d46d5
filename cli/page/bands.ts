/**
 * What lasts: on each lane the state of its process (down, paused, in a view change, normal in a
 * view, leading it), and over all lanes the faults of links. Grows with the timeline.
 */
import { KIND, NONE, type Timeline } from './timeline.ts';

/** `up`: it runs and has not told its status, or has none. */
export type BandState = 'down' | 'up' | 'normal' | 'view_change' | 'recovering_head';

export interface Band {
  readonly fromMicros: number;
  readonly fromEvent: number;
  /** Infinity while it lasts. */
  toMicros: number;
  toEvent: number;
  readonly state: BandState;
  readonly view: number;
  readonly leads: boolean;
}

export interface FaultBand {
  readonly fromMicros: number;
  readonly fromEvent: number;
  toMicros: number;
  toEvent: number;
  /** partition, isolate, clog or pause. */
  readonly what: string;
  /** -1: links of several. */
  readonly node: number;
  readonly text: string;
}

export class Bands {
  /** By lane, in order of time; clients have none. */
  readonly lanes: Band[][] = [];
  readonly faults: FaultBand[] = [];
  private readonly timeline: Timeline;
  private readonly open = new Map<string, FaultBand[]>();
  private seen = 0;

  constructor(timeline: Timeline, replicaCount: number) {
    this.timeline = timeline;
    for (let node = 0; node < replicaCount; node++) this.lanes.push([]);
  }

  /** Takes in the entries that have come since. */
  update(): void {
    const { timeline } = this;
    for (; this.seen < timeline.count; this.seen++) this.take(this.seen);
  }

  private take(index: number): void {
    const { timeline } = this;
    const node = timeline.nodes[index] as number;
    const what = timeline.what(index);
    switch (timeline.kinds[index]) {
      case KIND.view_change:
        if (what !== 'timeout') this.become(index, node, what as BandState);
        break;
      case KIND.restart:
        if (what === 'resume') this.ends(index, `pause ${node}`);
        else this.become(index, node, 'up');
        break;
      case KIND.crash:
        if (what === 'pause') this.begins(index, `pause ${node}`);
        else if (what !== 'clock_jump') {
          this.become(index, node, 'down');
          this.endsAll(index, `pause ${node}`);
        }
        break;
      case KIND.partition:
        this.begins(index, linksKey(what, timeline.text(index)));
        break;
      case KIND.heal:
        if (what === 'phase') for (const key of this.open.keys()) this.endsAll(index, key);
        else this.ends(index, linksKey(what, timeline.text(index)));
        break;
      default:
    }
  }

  private become(index: number, node: number, state: BandState): void {
    const lane = this.lanes[node];
    if (lane === undefined) return;
    const { timeline } = this;
    const micros = timeline.micros[index] as number;
    const event = timeline.events[index] as number;
    const before = lane.at(-1);
    if (before !== undefined) {
      before.toMicros = micros;
      before.toEvent = event;
    }
    const view = timeline.views[index] as number;
    const leads = state === 'normal' && view !== NONE && view % this.lanes.length === node;
    lane.push({
      fromMicros: micros, fromEvent: event, toMicros: Infinity, toEvent: Infinity, state, view, leads,
    });
  }

  private begins(index: number, key: string): void {
    const { timeline } = this;
    const band: FaultBand = {
      fromMicros: timeline.micros[index] as number,
      fromEvent: timeline.events[index] as number,
      toMicros: Infinity,
      toEvent: Infinity,
      what: timeline.what(index),
      node: timeline.nodes[index] as number,
      text: timeline.text(index),
    };
    this.faults.push(band);
    const open = this.open.get(key);
    if (open === undefined) this.open.set(key, [band]);
    else open.push(band);
  }

  /** Two faults on the same links overlap: the one that began first ends first. */
  private ends(index: number, key: string): void {
    const band = this.open.get(key)?.shift();
    if (band === undefined) return;
    band.toMicros = this.timeline.micros[index] as number;
    band.toEvent = this.timeline.events[index] as number;
  }

  private endsAll(index: number, key: string): void {
    while ((this.open.get(key)?.length ?? 0) > 0) this.ends(index, key);
  }
}

/** `partition cuts R0-R1` and `partition joins R0-R1` are about the same. */
function linksKey(what: string, text: string): string {
  return `${what} ${text.split(' ').slice(2).join(' ')}`;
}
