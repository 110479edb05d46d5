/**
 * The memory of a world, kept from seed to seed: message pool, disks, event queue. Clearing what a
 * run has used costs a fraction of allocating it anew, and keeps memory flat over any number of
 * seeds. One world at a time lives in an arena; a new one finds everything zero.
 */
import { REPLICAS_MAX, type ClusterConfig } from '../core/constants.ts';
import { MessagePool, allocateAligned } from '../core/message/pool.ts';
import { regionOf, type Region } from '../core/message/region.ts';
import { zonesOf, type Zones } from '../core/storage/data_file.ts';
import { EventQueue } from './event_queue.ts';
import { KIMBERLITE } from './kimberlite.ts';
import { NetworkMemory } from './ports/sim_network.ts';
import { DiskMemory } from './ports/sim_storage.ts';
import { type DiskShape, type System } from './system.ts';

/**
 * Messages: what six replicas pin at the most (pipeline, caches, journal and grid queues), their
 * clients, and packets in flight; the network sheds packets before the pool runs dry.
 */
const SMALL_MESSAGES = 2048;
const LARGE_MESSAGES = 1024;
/** Nodes are u8 in an event: replicas and clients. */
const NODES_MAX = 200;
const SECTOR = 4096;

/** One write of a formatted disk. */
interface Preset {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export class Arena {
  readonly config: ClusterConfig;
  readonly system: System;
  readonly diskShape: DiskShape;
  readonly zones: Zones;
  readonly pool: MessagePool;
  readonly queue = new EventQueue();
  readonly network = new NetworkMemory();
  /** 16 bytes; all simulated clusters have one id, so that their formatted disks can be kept. */
  readonly cluster: Region = regionOf(new Uint8Array(16));
  private readonly disks: DiskMemory[] = [];
  private readonly formats = new Map<number, readonly Preset[]>();

  constructor(config: ClusterConfig, system: System = KIMBERLITE) {
    this.config = config;
    this.system = system;
    this.diskShape = system.disk(config);
    this.zones = zonesOf(config);
    this.pool = new MessagePool({
      smallCount: SMALL_MESSAGES,
      smallSize: Math.min(SECTOR, config.messageSizeMax),
      largeCount: LARGE_MESSAGES,
      largeSize: config.messageSizeMax,
      allocate: allocateAligned,
    });
    this.pool.trackHolders(NODES_MAX + 2);
    this.cluster.words.set([0x4b4d4254, 1, 2, 3]);
  }

  /** True when a world of this system and configuration can live here. */
  fits(config: ClusterConfig, system: System): boolean {
    return system === this.system && Object.entries(this.config).every(
      ([name, value]) => config[name as keyof ClusterConfig] === value,
    );
  }

  /** Everything as new. */
  reset(): void {
    this.pool.reset();
    this.queue.reset();
    for (const disk of this.disks) disk.reset();
  }

  disk(replica: number): DiskMemory {
    while (this.disks.length <= replica && this.disks.length < REPLICAS_MAX) {
      this.disks.push(new DiskMemory(this.diskShape.size));
    }
    return this.disks[replica] as DiskMemory;
  }

  /** What formatting writes for this replica; computed once. */
  formatted(replicaIndex: number, replicaCount: number): readonly Preset[] {
    const key = replicaCount * REPLICAS_MAX + replicaIndex;
    const known = this.formats.get(key);
    if (known !== undefined) return known;
    const presets: Preset[] = [];
    this.system.format({
      config: this.config,
      cluster: this.cluster,
      replicaIndex,
      replicaCount,
      // Frozen: a snapshot need not look inside.
      write: (offset, bytes) => presets.push(Object.freeze({ offset, bytes: bytes.slice() })),
    });
    this.formats.set(key, presets);
    return presets;
  }
}
