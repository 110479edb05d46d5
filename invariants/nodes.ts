/**
 * How far each node has come, told by its commits alone (never by asking it). Updated by the suite
 * after the checkers have seen an event, so that they compare the event with what was before.
 */

/** `executed` of a process that has not committed yet since it started. */
export const EXECUTED_UNKNOWN = -1;

export class Nodes {
  /** 1 between start and stop. */
  readonly running: Uint8Array;
  /** Last op executed or installed by this process; `EXECUTED_UNKNOWN` until its first. */
  readonly executed: Float64Array;
  /** Highest op that any process of the node has executed or installed. */
  readonly executedMax: Float64Array;
  /** Op of the node's last checkpoint that was reported durable. */
  readonly checkpoint: Float64Array;
  readonly view: Float64Array;
  readonly logView: Float64Array;
  /** Starts so far. */
  readonly incarnations: Uint32Array;
  /** Bit per node that must converge in the heal phase; 0 before it. */
  core = 0;

  constructor(replicaCount: number) {
    this.running = new Uint8Array(replicaCount);
    this.executed = new Float64Array(replicaCount).fill(EXECUTED_UNKNOWN);
    this.executedMax = new Float64Array(replicaCount);
    this.checkpoint = new Float64Array(replicaCount);
    this.view = new Float64Array(replicaCount);
    this.logView = new Float64Array(replicaCount);
    this.incarnations = new Uint32Array(replicaCount);
  }

  started(node: number): void {
    this.running[node] = 1;
    this.incarnations[node] = (this.incarnations[node] as number) + 1;
    this.executed[node] = EXECUTED_UNKNOWN;
    this.view[node] = 0;
    this.logView[node] = 0;
  }

  committed(node: number, op: number): void {
    this.executed[node] = op;
    if (op > (this.executedMax[node] as number)) this.executedMax[node] = op;
  }

  synced(node: number, toOp: number): void {
    this.committed(node, toOp);
  }

  /** True when each core node runs and its last executed op is `opMax`. */
  coreExecuted(opMax: number): boolean {
    for (let node = 0; node < this.running.length; node++) {
      if ((this.core & (1 << node)) === 0) continue;
      if (this.running[node] === 0) return false;
      if ((this.executed[node] as number) === opMax) continue;
      // A process that restarted exactly at the end has nothing to execute.
      const atCheckpoint = this.executed[node] === EXECUTED_UNKNOWN;
      if (!atCheckpoint || this.checkpoint[node] !== opMax) return false;
    }
    return true;
  }
}
