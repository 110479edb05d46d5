/** The journals side by side: a row a slot, a column a replica; what is committed, dirty or lost. */
import { isNode, type StateNode } from '../../../sim/state_node.ts';
import { element } from './dom.ts';
import { grouped } from './numbers.ts';
import { type Run } from './run.ts';

/** Pixels: a row's number with the gap, a character, and what surrounds an entry. */
const SLOT_WIDTH = 52;
const CHARACTER_WIDTH = 7;
const CELL_MARGIN = 14;

/** Not every system has nodes with a journal like ours. */
export function hasJournals({ player }: Run): boolean {
  return player.plan.system === undefined;
}

/** `width`: pixels that there are; more than one column of slots where they fit. */
export function journalTable(run: Run, width: number): HTMLElement {
  const { replicas } = run.tree();
  const names = Object.keys(replicas);
  const journals = names.map((name) => branch(replicas[name] as StateNode, 'journal', 'slots'));
  const { journalSlots } = run.player.plan.config;
  const before = run.base === null ? null : run.base.tree.replicas;
  const rows: HTMLElement[] = [];
  let longest = 2;
  for (let slot = 0; slot < journalSlots; slot++) {
    const entries = journals.map((slots) => slots?.[`${slot}`]);
    const cells = journals.map((slots, i) => {
      const entry = slots === null ? undefined : slots[`${slot}`];
      const name = names[i] as string;
      const old = before === null ? null : branch(before[name] as StateNode, 'journal', 'slots');
      const replica = replicas[name] as StateNode;
      const cell = slotCell(entry, old?.[`${slot}`], replica, before !== null && old !== null);
      longest = Math.max(longest, cell.textContent.length);
      if (entries.some((other) => contradicts(entry, other))) cell.classList.add('apart');
      return cell;
    });
    if (cells.every((cell) => cell.textContent === '')) continue;
    rows.push(element('tr', {}, element('th', { more: { scope: 'row' } }, `${slot}`), ...cells));
  }
  const cell = longest * CHARACTER_WIDTH + CELL_MARGIN;
  const columns = Math.max(1, Math.floor(width / (SLOT_WIDTH + names.length * cell)));
  const tall = Math.max(8, Math.ceil(rows.length / columns));
  const tables: HTMLElement[] = [];
  for (let first = 0; first < rows.length; first += tall) {
    const head = element('tr', {}, element('th', { more: { scope: 'col' } }, 'slot'));
    for (const name of names) head.append(element('th', { more: { scope: 'col' } }, name));
    tables.push(element('table', { class: 'journal', label: 'Journals' },
      element('thead', {}, head), element('tbody', {}, ...rows.slice(first, first + tall))));
  }
  return element(
    'div', {},
    element('p', { class: 'key' },
      sample('committed', 'committed'), sample('prepared', 'not committed here'),
      sample('dirty', 'not yet written'), sample('lost', 'faulty'),
      element('span', { class: 'sample' },
        element('b', { class: 'apart' }, '7 v1'), 'another entry for the same op')),
    element('div', { class: 'journals' }, ...tables),
  );
}

function sample(className: string, words: string): HTMLElement {
  return element('span', { class: 'sample' }, element('i', { class: `slot ${className}` }), words);
}

function branch(node: StateNode | undefined, ...names: readonly string[]): StateNode | null {
  let at: StateNode | undefined = node;
  for (const name of names) {
    const next: unknown = at?.[name];
    if (typeof next !== 'object' || next === null) return null;
    at = next as StateNode;
  }
  return at ?? null;
}

/** Two entries for one op. */
function contradicts(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return false;
  const one = a as StateNode;
  const other = b as StateNode;
  return one['op'] !== undefined && one['op'] === other['op'] && one['checksum'] !== other['checksum'];
}

function slotCell(entry: unknown, old: unknown, replica: StateNode, comparable: boolean): HTMLElement {
  const cell = element('td', {});
  if (typeof entry !== 'object' || entry === null || !isNode(entry as StateNode)) return cell;
  const { op, view, state, operation, client, request, checksum } = entry as StateNode;
  const known = typeof op === 'number';
  cell.textContent = known ? `${grouped(op)} v${String(view)}` : 'lost';
  const committed = known && op <= Number(replica['commitMin'] ?? 0);
  cell.classList.add('slot');
  if (String(state).startsWith('faulty')) cell.classList.add('lost');
  else if (state === 'dirty') cell.classList.add('dirty');
  else cell.classList.add(committed ? 'committed' : 'prepared');
  if (known) {
    cell.title = `op ${op}, view ${String(view)}, ${String(operation)}, ${String(client)} request ` +
      `${String(request)}, ${String(checksum)}: ${String(state)}${committed ? ', committed' : ''}`;
  }
  if (comparable && JSON.stringify(entry) !== JSON.stringify(old)) cell.classList.add('changed');
  return cell;
}
