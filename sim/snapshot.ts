/**
 * A memento of a whole object graph, restored in place: the same objects, with the state they had.
 *
 * Walks from a root over ordinary properties, arrays, maps, sets, and the buffers behind typed
 * arrays and views. Frozen objects, functions and strings are constants and left out. What lives
 * in closures, `#private` fields or module variables is not seen, which is why the core has none.
 */
type Key = string;

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

export class Snapshot {
  private readonly objects: SavedObject[] = [];
  private readonly arrays: SavedArray[] = [];
  private readonly maps: SavedMap[] = [];
  private readonly sets: SavedSet[] = [];
  private readonly buffers: SavedBuffer[] = [];

  /** Saves all that `root` reaches. */
  static of(root: object): Snapshot {
    const snapshot = new Snapshot();
    snapshot.save(root);
    return snapshot;
  }

  /** Bytes of buffers held. */
  get size(): number {
    return this.buffers.reduce((sum, { copy }) => sum + copy.byteLength, 0);
  }

  /** Puts everything back. May be called any number of times. */
  restore(): void {
    for (const { target, copy } of this.buffers) target.set(copy);
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
        this.buffers.push({ target, copy: target.slice() });
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

function restoreObject({ target, keys, values }: SavedObject): void {
  for (const key of Object.keys(target)) {
    if (!keys.includes(key)) delete target[key];
  }
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as Key;
    if (!Object.is(target[key], values[i])) target[key] = values[i];
  }
}
