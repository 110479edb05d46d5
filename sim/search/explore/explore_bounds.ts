/** What limits a search. Every number is part of its result: "nothing found" is said within it. */
import { REPLICAS_MAX } from '../../../core/constants.ts';

export type SearchOrder = 'bfs' | 'dfs' | 'directed';
export const SEARCH_ORDERS: readonly SearchOrder[] = ['bfs', 'dfs', 'directed'];
export type DiskModel = 'atomic' | 'steps';
export const DISK_MODELS: readonly DiskModel[] = ['atomic', 'steps'];

export interface ExploreBounds {
  readonly replicas: number;
  readonly clients: number;
  /** Appends, dealt out to the clients in turn. */
  readonly operations: number;
  /** Crashes in one run, over all replicas. A crashed replica may start again at any time. */
  readonly crashes: number;
  /** Timers that fire in one run, over all nodes. */
  readonly timeouts: number;
  /** Messages that arrive twice. */
  readonly duplicates: number;
  /** Steps of a run, counted from the beginning of the search. */
  readonly depth: number;
  readonly disk: DiskModel;
}

export const BOUNDS_DEFAULT: ExploreBounds = Object.freeze({
  replicas: 3,
  clients: 1,
  operations: 2,
  crashes: 1,
  timeouts: 1,
  duplicates: 0,
  depth: 1000,
  disk: 'atomic',
});

export const BOUNDS_MAX = Object.freeze({
  replicas: REPLICAS_MAX,
  clients: 4,
  operations: 8,
  crashes: 15,
  timeouts: 100,
  duplicates: 15,
  depth: 10_000,
});
