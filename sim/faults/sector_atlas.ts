/**
 * Where rot may strike a system that keeps the same things at the same places of all its disks: in
 * each sector, at most a minority of the nodes ever carries a fault, chosen by hash. A system that
 * survives less says so by `mayRot`.
 */
import { DOMAIN, type Decisions } from '../decide.ts';
import { FAMILY } from '../identity.ts';
import { type SimDisk } from '../ports/sim_storage.ts';
import { type Atlas } from '../system.ts';


/** True when `node` may carry a fault in `sector`. */
export type MayRot = (node: number, sector: number, replicaCount: number) => boolean;

export class SectorAtlas implements Atlas {
  private readonly decisions: Decisions;
  private readonly replicaCount: number;
  private readonly mayRot: MayRot | null;

  constructor(decisions: Decisions, replicaCount: number, mayRot: MayRot | null) {
    this.decisions = decisions;
    this.replicaCount = replicaCount;
    this.mayRot = mayRot;
  }

  allows(node: number, sector: number): boolean {
    if (this.mayRot !== null) return this.mayRot(node, sector, this.replicaCount);
    const key = this.decisions.key(FAMILY.chunk, 0, sector, 0, 0, 0, 0);
    const first = this.decisions.bits(key, DOMAIN.atlas) % this.replicaCount;
    const faultyMax = (this.replicaCount - 1) >> 1;
    return (node - first + this.replicaCount) % this.replicaCount < faultyMax;
  }

  plant(disk: SimDisk, node: number, pick: number, sectors: number, overlay: number): number {
    const count = disk.memory.sectorCount;
    const start = this.decisions.bits(pick, DOMAIN.atlas) % count;
    let hit = 0;
    for (let i = 0; i < count && hit < sectors; i++) {
      const sector = (start + i) % count;
      if (!this.allows(node, sector)) continue;
      if (disk.plant(sector, overlay, this.decisions.bits(pick + i, DOMAIN.sectorGarbage))) hit++;
    }
    return hit;
  }
}
