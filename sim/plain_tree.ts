/**
 * Any object's own plain properties as a tree, for components whose system has no words for them.
 * Bounded in depth and breadth; a cycle ends where it closes; ports and buffers are left out or cut.
 */
import { PlainNetwork } from '../core/message/plain_network.ts';
import { MessagePool, Message } from '../core/message/pool.ts';
import { Prng } from '../core/prng.ts';
import { SimClock } from './ports/sim_clock.ts';
import { NetworkPort } from './ports/sim_network.ts';
import { SimDisk } from './ports/sim_storage.ts';
import { type StateNode, type StateValue } from './state_node.ts';
import { PLAIN_WORDS } from './words.ts';

const DEPTH_MAX = 4;
const CHILDREN_MAX = 64;
const TEXT_MAX = 200;

/** The component's surroundings, which every one of them holds. */
const SURROUNDINGS = [SimClock, NetworkPort, PlainNetwork, SimDisk, MessagePool, Prng];
const SURROUNDING_NAMES = ['observer', 'host', 'config', 'plan', 'settings', 'ports', 'options', 'factory'];

export function plainTree(object: object): StateNode {
  return nodeOf(object, [object]);
}

function nodeOf(object: object, above: readonly object[]): StateNode {
  const tree: Record<string, StateValue> = {};
  let more = 0;
  const add = (name: string, value: unknown): void => {
    const branch = valueOf(value, above);
    if (branch === undefined) return;
    if (Object.keys(tree).length < CHILDREN_MAX) tree[name] = branch;
    else more++;
  };
  if (object instanceof Map) for (const [key, value] of object) add(String(key), value);
  else if (object instanceof Set) for (const value of object) add(String(value), true);
  else if (Array.isArray(object)) object.forEach((value, i) => add(`${i}`, value));
  else if (isNumbers(object)) Array.from(object).forEach((value, i) => add(`${i}`, value));
  else {
    for (const [name, value] of Object.entries(object)) {
      if (!SURROUNDING_NAMES.includes(name)) add(name, value);
    }
  }
  if (more > 0) tree['...'] = `and ${more} more`;
  return tree;
}

/** Undefined: nothing that belongs into the tree. */
function valueOf(value: unknown, above: readonly object[]): StateValue | undefined {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return value.length <= TEXT_MAX ? value : `${value.slice(0, TEXT_MAX)}...`;
  if (typeof value !== 'object') return undefined;
  if (SURROUNDINGS.some((kind) => value instanceof kind) || ArrayBuffer.isView(value) && !isNumbers(value)) {
    return undefined;
  }
  if (value instanceof Message) return PLAIN_WORDS.message(value, 0);
  if (value instanceof ArrayBuffer) return undefined;
  if (value instanceof Uint8Array && value.length > CHILDREN_MAX) return `${value.length} bytes`;
  if (above.includes(value)) return '(above)';
  if (above.length >= DEPTH_MAX) return '(deeper)';
  return nodeOf(value, [...above, value]);
}

type Numbers = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array
  | Float32Array | Float64Array;

function isNumbers(value: object): value is Numbers {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}
