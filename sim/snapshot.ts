/**
 * A memento of a whole object graph, restored in place: the same objects, with the state they had.
 *
 * Walks from a root over ordinary properties, arrays, maps, sets, and the buffers behind typed
 * arrays and views. Frozen objects, functions and strings are constants and left out. What lives
 * in closures, `#private` fields or module variables is not seen, which is why the core has none.
 * What watches a world and is no part of it says so by a method `[RESTORED]`: it is left alone.
 */
type Key = string;

/** Of an object that is not state: called after each restore of a snapshot that came across it. */
export const RESTORED: unique symbol = Symbol('restored');

export interface Bystander {
  [RESTORED](): void;
}

interface SavedObject {
  readonly target: Record<Key, unknown>;
  readonly keys: readonly Key[];
  readonly values: readonly unknown[];
}

interface SavedArray {
  readonly target: unknown[];
  readonly values: readonly unknown[];
}

interface SavedMap {
  readonly target: Map<unknown, unknown>;
  readonly entries: readonly (readonly [unknown, unknown])[];
}

interface SavedSet {
  readonly target: Set<unknown>;
  readonly values: readonly unknown[];
}

interface SavedBuffer {
  readonly target: Uint8Array;
  readonly copy: Uint8Array;
}

/** A large memory: of its 4 KiB pages only those that are not zero, most of a disk or pool being. */
interface SavedPages {
  readonly target: Uint8Array;
  /** Page numbers, and their bytes one after another. */
  readonly pages: readonly number[];
  readonly bytes: Uint8Array;
}

const PAGE = 4096;
/** Buffers from this size on are saved by pages. */
const PAGED_SIZE = 1 << 16;

export class Snapshot {
  private readonly objects: SavedObject[] = [];
  private readonly arrays: SavedArray[] = [];
  private readonly maps: SavedMap[] = [];
  private readonly sets: SavedSet[] = [];
  private readonly buffers: SavedBuffer[] = [];
  private readonly paged: SavedPages[] = [];
  private readonly bystanders: Bystander[] = [];

  /** Saves all that `root` reaches. */
  static of(root: object): Snapshot {
    const snapshot = new Snapshot();
    snapshot.save(root);
    return snapshot;
  }

  /** Bytes of buffers held. */
  get size(): number {
    const whole = this.buffers.reduce((sum, { copy }) => sum + copy.byteLength, 0);
    return this.paged.reduce((sum, { bytes }) => sum + bytes.byteLength, whole);
  }

  /** Puts everything back. May be called any number of times. */
  restore(): void {
    for (const { target, copy } of this.buffers) target.set(copy);
    for (const { target, pages, bytes } of this.paged) {
      target.fill(0);
      pages.forEach((page, i) => {
        target.set(bytes.subarray(i * PAGE, (i + 1) * PAGE), page * PAGE);
      });
    }
    for (const { target, values } of this.arrays) {
      target.length = values.length;
      for (let i = 0; i < values.length; i++) target[i] = values[i];
    }
    for (const saved of this.objects) restoreObject(saved);
    for (const { target, entries } of this.maps) {
      target.clear();
      for (const [key, value] of entries) target.set(key, value);
    }
    for (const { target, values } of this.sets) {
      target.clear();
      for (const value of values) target.add(value);
    }
    for (const bystander of this.bystanders) bystander[RESTORED]();
  }

  private save(root: object): void {
    const seen = new Set<object>([root]);
    const stack: object[] = [root];
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null || seen.has(value)) return;
      seen.add(value);
      stack.push(value);
    };
    for (let object = stack.pop(); object !== undefined; object = stack.pop()) {
      if (ArrayBuffer.isView(object)) {
        visit(object.buffer);
      } else if (object instanceof ArrayBuffer) {
        const target = new Uint8Array(object);
        const paged = object.byteLength >= PAGED_SIZE && object.byteLength % PAGE === 0;
        if (paged) this.paged.push(savePages(target));
        else this.buffers.push({ target, copy: target.slice() });
      } else if (Array.isArray(object)) {
        if (Object.isFrozen(object)) continue;
        this.arrays.push({ target: object, values: object.slice() });
        for (const value of object) visit(value);
      } else if (object instanceof Map) {
        const entries = [...object.entries()];
        this.maps.push({ target: object, entries });
        for (const [key, value] of entries) {
          visit(key);
          visit(value);
        }
      } else if (object instanceof Set) {
        const values = [...object.values()];
        this.sets.push({ target: object, values });
        for (const value of values) visit(value);
      } else if (RESTORED in object) {
        this.bystanders.push(object as Bystander);
      } else {
        this.saveObject(object as Record<Key, unknown>, visit);
      }
    }
  }

  private saveObject(object: Record<Key, unknown>, visit: (value: unknown) => void): void {
    if (Object.isFrozen(object)) return;
    const keys = Object.keys(object);
    const values = keys.map((key) => object[key]);
    this.objects.push({ target: object, keys, values });
    for (const value of values) visit(value);
  }
}

function savePages(target: Uint8Array): SavedPages {
  const words = new Int32Array(target.buffer);
  const pages: number[] = [];
  for (let page = 0; page * PAGE < target.byteLength; page++) {
    let at = page * (PAGE / 4);
    const end = at + PAGE / 4;
    while (at < end && words[at] === 0) at++;
    if (at < end) pages.push(page);
  }
  const bytes = new Uint8Array(pages.length * PAGE);
  pages.forEach((page, i) => bytes.set(target.subarray(page * PAGE, (page + 1) * PAGE), i * PAGE));
  return { target, pages, bytes };
}

function restoreObject({ target, keys, values }: SavedObject): void {
  const now = Object.keys(target);
  // Nearly always the very fields it had: then there is nothing to look for.
  let same = now.length === keys.length;
  for (let i = 0; same && i < now.length; i++) same = now[i] === keys[i];
  if (!same) {
    for (const key of now) {
      if (!keys.includes(key)) delete target[key];
    }
  }
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as Key;
    if (!Object.is(target[key], values[i])) target[key] = values[i];
  }
}
