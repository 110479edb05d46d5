/** State trees and their differences as text. Pure. */
import { pathNames, type Change } from '../../sim/state_diff.ts';
import { isNode, type StateNode, type StateValue } from '../../sim/state_node.ts';
import { type StateTree } from '../../sim/state_tree.ts';
import { span, type StyledLine, type Tone } from '../render/styled_text.ts';

const INDENT = '  ';
/** A branch of leaves goes on one line when it fits. */
const INLINE_COLUMNS = 100;

export function stateLines(tree: StateTree): StyledLine[] {
  const { event, virtualMicros, phase, violation, ...rest } = tree;
  const when = `after event ${event}, ${(virtualMicros / 1e6).toFixed(6)} s, phase ${phase}`;
  const lines: StyledLine[] = [[span(`state ${when}`, 'strong')]];
  if (violation !== null) lines.push([span(`violation: ${violation}`, 'failure')]);
  return [...lines, ...treeLines(rest, '')];
}

export function treeLines(node: StateNode, indent: string): StyledLine[] {
  const names = Object.keys(node);
  const leaves = names.filter((name) => !isNode(node[name] as StateValue));
  const width = Math.max(0, ...leaves.map((name) => name.length));
  return names.flatMap((name) => {
    const value = node[name] as StateValue;
    if (!isNode(value)) {
      return [[span(`${indent}${name.padEnd(width)} `, 'faint'), span(leafText(value), toneOf(value))]];
    }
    const line = inlineText(value);
    if (line !== null && indent.length + name.length + line.length < INLINE_COLUMNS) {
      return [[span(`${indent}${name} `, 'faint'), span(line)]];
    }
    return [[span(`${indent}${name}`, 'strong')], ...treeLines(value, indent + INDENT)];
  });
}

/** `op 12, view 3`; null: there are branches below. */
function inlineText(node: StateNode): string | null {
  const entries = Object.entries(node);
  if (entries.length === 0) return 'none';
  if (entries.some(([, value]) => isNode(value))) return null;
  return entries.map(([name, value]) => `${name} ${leafText(value)}`).join(', ');
}

function leafText(value: StateValue): string {
  if (value === '') return 'none';
  if (value === null) return 'none';
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
}

/** What catches the eye when something is wrong with it. */
function toneOf(value: StateValue): Tone {
  return value === 'down' || value === 'paused' ? 'fault' : 'plain';
}

/** A line a change; under a heading for each replica, client and part of the network. */
export function changeLines(changes: readonly Change[]): StyledLine[] {
  const lines: StyledLine[] = [];
  let heading = '';
  for (const change of changes) {
    const names = pathNames(change.path);
    const depth = names.length > 2 ? 2 : names.length - 1;
    const above = names.slice(0, depth).join(' ');
    if (above !== heading) lines.push([span(above, 'strong')]);
    heading = above;
    const place = `${depth > 0 ? INDENT : ''}${names.slice(depth).join(' ')}`;
    lines.push([span(`${place}: `), ...changeSpans(change)]);
  }
  return lines;
}

function changeSpans({ before, after }: Change): StyledLine {
  if (before === undefined) return [span(`+ ${branchText(after)}`, 'recovery')];
  if (after === undefined) return [span(`- ${branchText(before)}`, 'fault')];
  return [span(branchText(before), 'fault'), span(' -> '), span(branchText(after), 'recovery')];
}

function branchText(value: StateValue | undefined): string {
  if (value === undefined) return '';
  if (!isNode(value)) return leafText(value);
  return inlineText(value) ?? `{ ${Object.entries(value)
    .map(([name, branch]) => `${name}: ${branchText(branch)}`)
    .join('; ')} }`;
}
