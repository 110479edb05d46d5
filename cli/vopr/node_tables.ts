/** The nodes of a state tree, a row each: what `vopr show` ends with. Pure. */
import { isNode, type StateNode, type StateValue } from '../../sim/state_node.ts';
import { type StateTree } from '../../sim/state_tree.ts';
import { tableText } from '../render/table.ts';

type Row = readonly [name: string, node: StateNode];

/** Columns of which no node has anything are left out: other systems have other facts. */
export function nodeTables(tree: StateTree): string {
  const replicas = table(tree.replicas, [
    ['process', (node) => at(node, 'process')],
    ['status', (node) => at(node, 'status')],
    ['role', (node) => at(node, 'role')],
    ['view', (node) => at(node, 'view')],
    ['log view', (node) => at(node, 'logView')],
    ['head', (node) => at(node, 'op')],
    ['executed', (node) => at(node, 'commitMin')],
    ['committed', (node) => at(node, 'commitMax')],
    ['checkpoint', (node) => at(node, 'checkpoint', 'op')],
    ['dirty', (node) => at(node, 'journal', 'dirty')],
    ['faulty', (node) => at(node, 'journal', 'faulty')],
    ['I/O', (node) => count(node, 'disk', 'operations')],
    ['unsynced', (node) => count(node, 'disk', 'undurable')],
    ['bad sectors', (node) => count(node, 'disk', 'faults')],
  ]);
  const clients = table(tree.clients, [
    ['status', (node) => at(node, 'status')],
    ['view', (node) => at(node, 'view')],
    ['session', (node) => at(node, 'session')],
    ['operations', (node) => at(node, 'operations')],
    ['settled', (node) => yesNo(at(node, 'settled'))],
    ['finished', (node) => yesNo(at(node, 'finished'))],
    ['open', (node) => at(node, 'open', 'message')],
  ]);
  return `${replicas}\n${clients}\n${networkText(tree.network)}`;
}

function table(
  nodes: StateNode,
  columns: readonly (readonly [title: string, text: (node: StateNode) => string])[],
): string {
  const rows = Object.entries(nodes).filter((row): row is [string, StateNode] => isNode(row[1]));
  const used = columns.filter(([, text]) => rows.some(([, node]) => text(node) !== ''));
  const cells = used.map(([title, text]) => [title, ([, node]: Row) => text(node)] as const);
  return tableText<Row>(rows, [['node', ([name]) => name], ...cells]);
}

/** '' where there is no such leaf. */
function at(node: StateNode, ...names: readonly string[]): string {
  const value = valueAt(node, names);
  return value === undefined || value === null || isNode(value) ? '' : String(value);
}

function yesNo(text: string): string {
  return text === 'true' ? 'yes' : text === 'false' ? 'no' : text;
}

function count(node: StateNode, ...names: readonly string[]): string {
  const value = valueAt(node, names);
  return value !== undefined && isNode(value) ? String(Object.keys(value).length) : '';
}

function valueAt(node: StateNode, names: readonly string[]): StateValue | undefined {
  let value: StateValue | undefined = node;
  for (const name of names) value = value !== undefined && isNode(value) ? value[name] : undefined;
  return value;
}

function networkText(network: StateNode): string {
  const links = Object.values(network['links'] as StateNode) as StateNode[];
  const packets = links.reduce((sum, link) => sum + Object.keys(link).length, 0);
  const parts = [`${packets} packets under way`];
  for (const what of ['cut', 'clogged']) {
    const names = Object.keys(network[what] as StateNode);
    if (names.length > 0) parts.push(`${what}: ${names.join(' ')}`);
  }
  return `network: ${parts.join('; ')}\n`;
}
