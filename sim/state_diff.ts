/** What differs between two state trees, leaf by leaf. */
import { isNode, type StateNode, type StateValue } from './state_node.ts';

export interface Change {
  /** JSON Pointer (RFC 6901): `/replicas/R0/view`. */
  readonly path: string;
  /** Absent: there was nothing. A branch that appears or goes is one change. */
  readonly before?: StateValue;
  /** Absent: there is nothing any more. */
  readonly after?: StateValue;
}

/** In the order of `before`, then what is new; empty: they are equal. */
export function diffTrees(before: StateNode, after: StateNode): Change[] {
  const changes: Change[] = [];
  diffNodes('', before, after, changes);
  return changes;
}

function diffNodes(path: string, before: StateNode, after: StateNode, changes: Change[]): void {
  for (const [name, old] of Object.entries(before)) {
    const at = `${path}/${escaped(name)}`;
    const now = Object.hasOwn(after, name) ? after[name] : undefined;
    if (now === undefined) {
      changes.push({ path: at, before: old });
    } else if (isNode(old) && isNode(now)) {
      diffNodes(at, old, now, changes);
    } else if (!Object.is(old, now)) {
      changes.push({ path: at, before: old, after: now });
    }
  }
  for (const [name, now] of Object.entries(after)) {
    if (!Object.hasOwn(before, name)) changes.push({ path: `${path}/${escaped(name)}`, after: now });
  }
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The names that lead to a change, root first. */
export function pathNames(path: string): string[] {
  return path.split('/').slice(1).map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}
