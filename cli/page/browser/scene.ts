/** What a picture of the lanes is made from, and where on it each lane lies. */
import { type EntryKind } from '../../../sim/recorder.ts';
import { type Run } from './run.ts';
import { type Theme } from './theme.ts';
import { type Viewport } from './viewport.ts';

export const LABEL_WIDTH = 52;
export const AXIS_HEIGHT = 20;
export interface Scene {
  readonly run: Run;
  readonly viewport: Viewport;
  readonly theme: Theme;
  readonly shown: ReadonlySet<EntryKind>;
  /** Entry under the pointer; -1: none. */
  readonly hovered: number;
  readonly width: number;
  readonly height: number;
}

/** Lanes have room for this many of clients' or the world's: what a replica does is more to see. */
const REPLICA_UNITS = 2;

/** Units that the lanes of a run take in all. */
export function laneUnits({ replicaCount, nodeCount }: Run): number {
  return 1 + replicaCount * REPLICA_UNITS + (nodeCount - replicaCount);
}

/** Middle of a lane. Lane -1 is the world's, on top; then replicas, then clients. */
export function laneY(scene: Scene, node: number): number {
  const { run } = scene;
  const replicas = Math.min(Math.max(node, 0), run.replicaCount);
  const above = (node < 0 ? 0 : 1) + replicas * REPLICA_UNITS + Math.max(0, node - run.replicaCount);
  const own = node >= 0 && node < run.replicaCount ? REPLICA_UNITS : 1;
  return AXIS_HEIGHT + (above + own / 2) * unitHeight(scene);
}

export function laneHeight(scene: Scene, node: number): number {
  const own = node >= 0 && node < scene.run.replicaCount ? REPLICA_UNITS : 1;
  return own * unitHeight(scene);
}

function unitHeight({ run, height }: Scene): number {
  return (height - AXIS_HEIGHT) / laneUnits(run);
}
