/**
 * The system this simulator was made for: worlds of the same Replica that production runs, called by
 * the same Client.
 */
import { headerValid } from '../core/checksum.ts';
import { HEADER_SIZE, quorumsOf, type ClusterConfig } from '../core/constants.ts';
import { copyWords, regionOf } from '../core/message/region.ts';
import { SECTOR_SIZE } from '../core/ports.ts';
import { prepareOffset, zonesOf, type Zones } from '../core/storage/data_file.ts';
import { format } from '../core/storage/format.ts';
import { Replica } from '../core/vsr/replica.ts';
import { type History } from '../invariants/history.ts';
import { CHECKERS } from '../invariants/registry.ts';
import { CANARIES } from './canaries.ts';
import { FaultAtlas } from './faults/fault_atlas.ts';
import { KIMBERLITE_WORDS } from './kimberlite_words.ts';
import { type SimDisk } from './ports/sim_storage.ts';
import {
  type ClientOptions,
  type DiskShape,
  type FormatRequest,
  type GroupOptions,
  type NodeGroup,
  type NodeOptions,
  type System,
} from './system.ts';
import { Operations } from './workload/operations.ts';
import { SimClient } from './workload/sim_client.ts';

const NONE = -1;

export const KIMBERLITE: System = Object.freeze({
  name: 'kimberlite',
  checkers: CHECKERS,
  canaries: CANARIES,
  words: KIMBERLITE_WORDS,
  disk(config: ClusterConfig): DiskShape {
    const { end, journalHeaders } = zonesOf(config);
    return { size: end, superblockSize: journalHeaders };
  },
  format(request: FormatRequest): void {
    format(request);
  },
  createNode(options: NodeOptions): Replica {
    return new Replica(options);
  },
  createClient(options: ClientOptions): SimClient {
    const { plan, decisions, counters, client } = options;
    const { config, replicaCount, seedWords: seed, workload } = plan;
    const operations = new Operations({ plan: workload, config, decisions, counters, client });
    return new SimClient({ ...options, config, replicaCount, seed, operations });
  },
  createGroup(options: GroupOptions): NodeGroup {
    return new Replicas(options);
  },
});

class Replicas implements NodeGroup {
  readonly atlas: FaultAtlas;
  private readonly nodes: readonly (Replica | null)[];
  private readonly config: ClusterConfig;
  private readonly zones: Zones;
  private readonly history: History;
  /** A process that began on a disk whose journal had no faults. */
  private readonly cleanStart: Uint8Array;

  constructor({ plan, nodes, decisions, history }: GroupOptions) {
    this.nodes = nodes as readonly (Replica | null)[];
    this.config = plan.config;
    this.zones = zonesOf(plan.config);
    this.history = history;
    this.cleanStart = new Uint8Array(plan.replicaCount);
    this.atlas = new FaultAtlas(decisions, plan.config, this.zones, plan.replicaCount);
  }

  /** Best guess of the present primary: that of the highest view in which a replica is normal. */
  primary(): number {
    let view = NONE;
    for (const replica of this.nodes) {
      if (replica !== null && replica.status === 'normal' && replica.view > view) view = replica.view;
    }
    return view === NONE ? 0 : view % this.nodes.length;
  }

  /**
   * Too many replicas that cannot tell their head would leave none to ask (all logs are whole, yet
   * nobody may vote). So a replica whose vote is needed finds the faults of its journal withdrawn,
   * and so is what it had written down because of them: the marks of lost slots.
   */
  restarting(node: number, disk: SimDisk): void {
    let voters = 0;
    this.nodes.forEach((replica, other) => {
      if (replica === null) return;
      const sure = replica.status === 'recovering' && this.cleanStart[other] === 1;
      if (sure || replica.status === 'normal' || replica.status === 'view_change') voters++;
    });
    const needed = voters < quorumsOf(this.nodes.length).viewChange;
    this.cleanStart[node] = needed ? 1 : 0;
    if (!needed) return;
    const { config, zones } = this;
    const { journalHeaders, replies } = zones;
    disk.withdraw(journalHeaders / SECTOR_SIZE, replies / SECTOR_SIZE);
    const image = regionOf(disk.memory.image);
    for (let slot = 0; slot < config.journalSlots; slot++) {
      const header = journalHeaders + slot * HEADER_SIZE;
      const prepare = prepareOffset(zones, config, slot);
      if (headerValid(config.checksumAlgorithm, image, header)) continue;
      if (!headerValid(config.checksumAlgorithm, image, prepare)) continue;
      copyWords(image, prepare, image, header, HEADER_SIZE);
    }
  }

  unsettled(): string | null {
    const first = this.nodes[0];
    for (const [node, replica] of this.nodes.entries()) {
      if (replica === null || first === null || first === undefined) return `R${node} does not run`;
      if (replica.status !== 'normal') return `R${node} is in status ${replica.status}`;
      if (replica.view !== first.view) return `R0 is in view ${first.view}, R${node} in view ${replica.view}`;
      if (replica.commitMin < this.history.opMax) {
        return `R${node} stands at op ${replica.commitMin}, ${this.history.opMax} committed`;
      }
      if (replica.commitMin !== first.commitMin || replica.checkpointOp !== first.checkpointOp) {
        return (
          `R0 stands at op ${first.commitMin} and checkpoint ${first.checkpointOp}, ` +
          `R${node} at op ${replica.commitMin} and checkpoint ${replica.checkpointOp}`
        );
      }
    }
    return null;
  }
}
