/**
 * A register's history is linearizable, judged by calls and answers alone. All written values differ,
 * so each read names its write; a write and its reads are one cluster. Let `from` be the earliest
 * answer in it and `to` the latest call. If from < to, the register must have held the value all
 * that time; else it held it at some time between the two. Spans of the first sort may not overlap,
 * and none of the second may lie within one of the first.
 * Source: Gibbons and Korach, "Testing shared memories", 1997.
 */
import { type CheckContext, type Checker } from '../../cli/system.ts'; // Published: 'kimberlite/system'.
import { type Answer, type Operation } from './register.ts';

/** The calls about one value, in microseconds of true time. */
interface Cluster {
  readonly value: number;
  /** Earliest answer; Infinity: none yet. */
  from: number;
  /** Latest call. */
  to: number;
}

export class Linearizable implements Checker {
  readonly id = 'linearizable';
  comparisons = 0;
  private readonly context: CheckContext;
  /** What the register holds in the beginning was written before everything. */
  private readonly clusters: Cluster[] = [{ value: 0, from: -1, to: -1 }];
  /** By client. */
  private readonly calledAt: number[] = [];

  constructor(context: CheckContext) {
    this.context = context;
  }

  onInvoked(client: number, operation: Operation): void {
    const now = this.context.now();
    this.calledAt[client] = now;
    if (operation.kind === 'write') this.clusters.push({ value: operation.value, from: Infinity, to: now });
  }

  onAnswered(client: number, value: Answer): void {
    const cluster = this.clusters.find((candidate) => candidate.value === value);
    if (cluster === undefined) {
      this.context.fail(this.id, `C${client} was answered ${value}, which nobody had begun to write`);
      return;
    }
    cluster.from = Math.min(cluster.from, this.context.now());
    cluster.to = Math.max(cluster.to, this.calledAt[client] as number);
    for (const other of this.clusters) {
      if (other === cluster || other.from === Infinity) continue;
      this.comparisons++;
      if (!contradict(cluster, other)) continue;
      this.context.fail(this.id, `C${client} was answered ${value}: ${words(cluster)}, but ${words(other)}`);
    }
  }
}

function contradict(a: Cluster, b: Cluster): boolean {
  if (a.from < a.to && b.from < b.to) return a.from < b.to && b.from < a.to;
  if (a.from < a.to) return a.from < b.to && b.from < a.to;
  return b.from < b.to && b.from < a.to && a.from < b.to;
}

function words({ value, from, to }: Cluster): string {
  if (from < to) return `the register held ${value} from ${from} to ${to} us`;
  return `it held ${value} at some time from ${to} to ${from} us`;
}
