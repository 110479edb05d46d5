/**
 * The small cluster that is explored: its configuration, its nodes, and the run without faults that
 * brings it to the state in which the search begins: all replicas started, all clients registered,
 * the stream made, and everybody told of every commit.
 */
import { CONFIG_SMALL, type ClusterConfig } from '../../../core/constants.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';
import { TIMER } from '../../../core/vsr/timeouts.ts';
import { ClientNode } from './client_node.ts';
import { type ExploreBounds } from './explore_bounds.ts';
import { MessageStore } from './message_store.ts';
import { ReplicaNode } from './replica_node.ts';
import { SectorStore } from './sector_store.ts';
import { STEP, stepOf, type ExploredNode } from './steps.ts';

/** As small as the protocol allows, so that states are small; no run gets to a checkpoint. */
export const EXPLORED_CONFIG: ClusterConfig = Object.freeze({
  ...CONFIG_SMALL,
  // Five, so that one commit alone is not worth a message to the backups (see `worthTelling`).
  pipelineMax: 5,
  checkpointInterval: 20,
  messageSizeMax: 4096,
  gridBlocks: 64,
  clientsMax: 8,
  tenantsMax: 1,
  streamsMax: 1,
  idempotencyMax: 16,
});

export interface ExploredCluster {
  readonly config: ClusterConfig;
  readonly cluster: Region;
  readonly replicaCount: number;
  readonly clientCount: number;
  readonly messages: MessageStore;
  readonly sectors: SectorStore;
  /** Replicas, then clients. */
  readonly nodes: readonly ExploredNode[];
}

export function newCluster(bounds: ExploreBounds): ExploredCluster {
  const config = EXPLORED_CONFIG;
  const cluster = regionOf(new Uint8Array(16));
  cluster.words.set([0x4b4d4254, 1, 2, 3]);
  const messages = new MessageStore();
  const sectors = new SectorStore();
  const { replicas: replicaCount, clients: clientCount } = bounds;
  const nodes: ExploredNode[] = [];
  for (let node = 0; node < replicaCount; node++) {
    nodes.push(
      new ReplicaNode({
        config,
        cluster,
        replicaCount,
        node,
        messages,
        sectors,
        atomicDisk: bounds.disk === 'atomic',
      }),
    );
  }
  for (let client = 0; client < clientCount; client++) {
    const appends = Math.floor((bounds.operations + clientCount - 1 - client) / clientCount);
    nodes.push(new ClientNode({ config, cluster, replicaCount, client, appends, messages }));
  }
  return { config, cluster, replicaCount, clientCount, messages, sectors, nodes };
}

/** A step of one node, as the search and its paths name it. */
export interface NodeStep {
  readonly node: number;
  readonly step: number;
}

/**
 * The way to the beginning of the search, step by step.
 */
export class Approach {
  private readonly cluster: ExploredCluster;
  private stage = 0;
  private started = 0;
  private calls = 0;

  constructor(cluster: ExploredCluster) {
    this.cluster = cluster;
  }

  /**
   * The next step, or null at the beginning of the search. `flying`: messages in flight, oldest
   * first; `hasIo`: whether a replica's disk has something to complete.
   */
  next(flying: readonly number[], hasIo: (node: number) => boolean): NodeStep | null {
    const { nodes, messages, replicaCount } = this.cluster;
    // Disks first, then messages in the order in which they were sent.
    for (let node = 0; node < this.started && node < replicaCount; node++) {
      if (hasIo(node)) return { node, step: stepOf(STEP.io) };
    }
    const oldest = flying[0];
    if (oldest !== undefined) return { node: messages.to(oldest), step: stepOf(STEP.deliver, oldest) };
    // One node after the other: the sessions are registered in their order.
    if (this.started < nodes.length) return { node: this.started++, step: stepOf(STEP.start) };
    const first = nodes[replicaCount];
    if (first instanceof ClientNode && this.calls < first.preparing) {
      this.calls++;
      return { node: replicaCount, step: stepOf(STEP.call) };
    }
    if (this.stage === 0 && replicaCount > 1) {
      this.stage = 1;
      return { node: 0, step: stepOf(STEP.timer, TIMER.commitMessage) };
    }
    return null;
  }
}
