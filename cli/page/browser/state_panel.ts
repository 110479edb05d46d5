/**
 * The state of the world where one stands: a table of the replicas' vital numbers, and everything
 * as a tree. What differs from the position before (or from the marked event) is marked, up to the
 * branches above it; what is gone is shown struck out.
 */
import { pathNames, type Change } from '../../../sim/state_diff.ts';
import { isNode, type StateNode, type StateValue } from '../../../sim/state_node.ts';
import { type App, type Panel } from './app.ts';
import { button, element } from './dom.ts';
import { grouped } from './numbers.ts';
import { type Run } from './run.ts';

/** Rows of the table: fields of a replica, where it has them. */
const VITAL = ['process', 'status', 'role', 'view', 'logView', 'op', 'commitMin', 'commitMax'] as const;
const ALARMING: ReadonlySet<unknown> = new Set([
  'down', 'paused', 'view_change', 'recovering', 'recovering_head',
]);
/** Changes that are listed; all are marked in the tree. */
const CHANGES_MAX = 8;
/** More children than this are not shown at once. */
const CHILDREN_MAX = 400;

interface Marks {
  /** Value before, by path; undefined: there was none. */
  readonly changed: ReadonlyMap<string, StateValue | undefined>;
  /** What is gone, by the path of the branch that held it. */
  readonly gone: ReadonlyMap<string, readonly (readonly [name: string, value: StateValue])[]>;
  /** Number of changes at and below each branch. */
  readonly below: ReadonlyMap<string, number>;
}

export class StatePanel implements Panel {
  readonly root: HTMLElement;
  private readonly app: App;
  private readonly against: HTMLElement;
  private readonly table: HTMLElement;
  private readonly list: HTMLElement;
  private readonly tree: HTMLElement;
  private readonly markButton: HTMLButtonElement;
  private readonly onlyBox: HTMLInputElement;
  /** Paths of branches that are open. */
  private readonly open = new Set<string>(['/replicas']);
  private shown = '';

  constructor(app: App) {
    this.app = app;
    this.against = element('span', { class: 'quiet' });
    this.markButton = button('Mark', 'Compare with the state here from now on (m)', () => app.mark());
    this.onlyBox = element('input', { type: 'checkbox' });
    this.onlyBox.addEventListener('change', () => this.refresh());
    this.table = element('div', { class: 'vital' });
    this.list = element('div', { class: 'changes', label: 'What changed' });
    this.tree = element('div', { class: 'tree', role: 'tree', label: 'State of the world' });
    this.root = element(
      'section',
      { class: 'panel state', label: 'State' },
      element(
        'h2', {}, 'State ', this.against,
        element('span', { class: 'tools' },
          element('label', {}, this.onlyBox, ' changes only'), this.markButton),
      ),
      element('div', { class: 'scroller', tabIndex: 0 }, this.table, this.list, this.tree),
    );
  }

  toggleOnlyChanges(): void {
    this.onlyBox.checked = !this.onlyBox.checked;
    this.refresh();
  }

  private refresh(): void {
    this.shown = '';
    this.app.changed();
  }

  update(): void {
    const { run } = this.app;
    const { player } = run;
    // While it executes or plays fast, the eye could not follow anyway.
    if (this.app.recording || !player.arrived) return;
    const { base } = run;
    const key = `${run.name} ${player.position} ${base?.event} ${run.marked?.event}`;
    if (key === this.shown) return;
    this.shown = key;
    const tree = run.tree();
    const marks = marksOf(run);
    this.against.textContent = againstText(run);
    const here = run.marked?.event === player.position;
    this.markButton.textContent = run.marked === null ? 'Mark' : here ? 'Unmark' : 'Mark here';
    this.list.replaceChildren(...changeRows(run.differences()));
    this.table.replaceChildren(vitalTable(run, tree.replicas, marks));
    this.tree.replaceChildren(...this.branches(tree, '', marks, 0));
  }

  private branches(node: StateNode, path: string, marks: Marks, depth: number): HTMLElement[] {
    const only = this.onlyBox.checked;
    const made: HTMLElement[] = [];
    let left = 0;
    for (const [name, value] of Object.entries(node)) {
      const at = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      const changes = marks.below.get(at) ?? 0;
      if (only && changes === 0) continue;
      if (made.length >= CHILDREN_MAX) left++;
      else if (isNode(value)) made.push(this.branch(name, value, at, marks, depth, changes));
      else made.push(leaf(name, value, marks.changed.has(at), marks.changed.get(at), depth));
    }
    for (const [name, value] of marks.gone.get(path) ?? []) made.push(goneRow(name, value, depth));
    if (left > 0) made.push(row(depth, element('span', { class: 'quiet' }, `and ${grouped(left)} more`)));
    return made;
  }

  private branch(
    name: string,
    value: StateNode,
    path: string,
    marks: Marks,
    depth: number,
    changes: number,
  ): HTMLElement {
    const size = Object.keys(value).length;
    const fresh = marks.changed.has(path);
    const head = row(
      depth,
      element('span', { class: 'twist', more: { 'aria-hidden': 'true' } }),
      element('span', { class: 'name' }, name),
      element('span', { class: 'quiet size' }, size === 0 ? 'none' : `${size}`),
      changes === 0 ? null : element('span', { class: 'count' }, fresh ? 'new' : `${grouped(changes)}`),
    );
    const group = element('div', { class: 'branch', role: 'treeitem' }, head);
    const body = element('div', { role: 'group' });
    const show = (open: boolean): void => {
      group.setAttribute('aria-expanded', String(open));
      if (open) body.replaceChildren(...this.branches(value, path, marks, depth + 1));
      else body.replaceChildren();
    };
    if (size > 0 || marks.gone.has(path)) {
      head.classList.add('folds');
      head.tabIndex = 0;
      const toggle = (): void => {
        if (!this.open.delete(path)) this.open.add(path);
        show(this.open.has(path));
      };
      head.addEventListener('click', toggle);
      head.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter') return;
        event.stopPropagation();
        toggle();
      });
      group.append(body);
      show(this.open.has(path) || (this.onlyBox.checked && changes > 0 && !fresh));
    }
    return group;
  }
}

function againstText(run: Run): string {
  const { base, marked, player } = run;
  if (base === null) return '';
  if (base.event === player.position) return `at the marked event ${grouped(base.event)}`;
  const what = marked === null ? 'event' : 'the marked event';
  return `against ${what} ${grouped(base.event)}`;
}

/** Changes by path, and their numbers summed up for all branches above. */
function marksOf(run: Run): Marks {
  const changed = new Map<string, StateValue | undefined>();
  const gone = new Map<string, [string, StateValue][]>();
  const below = new Map<string, number>();
  for (const change of run.differences()) {
    if (change.path === '/event' || change.path === '/virtualMicros') continue;
    const parent = change.path.slice(0, change.path.lastIndexOf('/'));
    if (change.after === undefined) {
      const name = pathNames(change.path).at(-1) as string;
      const list = gone.get(parent) ?? [];
      list.push([name, change.before as StateValue]);
      gone.set(parent, list);
    } else {
      changed.set(change.path, change.before);
      below.set(change.path, 1);
    }
    for (let path = parent; path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
      below.set(path, (below.get(path) ?? 0) + 1);
    }
  }
  return { changed, gone, below };
}

/** The first few, by what they are about; the vital numbers have their table. */
function changeRows(changes: readonly Change[]): HTMLElement[] {
  const rows: HTMLElement[] = [];
  let left = 0;
  for (const { path, before, after } of changes) {
    const names = pathNames(path);
    if (isShownElsewhere(names)) continue;
    if (rows.length === CHANGES_MAX) {
      left++;
      continue;
    }
    const where = ['replicas', 'clients'].includes(names[0] as string) ? names.slice(1) : names;
    rows.push(element('p', {},
      element('span', { class: 'name', title: names.join(' / ') }, where.join(' ')),
      before === undefined ? null : element('span', { class: 'was' }, valueText(before)),
      after === undefined ? element('span', { class: 'quiet' }, 'gone')
        : element('span', { class: 'now' }, valueText(after))));
  }
  if (left > 0) rows.push(element('p', { class: 'quiet' }, `and ${grouped(left)} more, marked below`));
  return rows;
}

function isShownElsewhere(names: readonly string[]): boolean {
  const [first, , field] = names;
  if (names.length === 1) return first === 'event' || first === 'virtualMicros';
  return names.length === 3 && first === 'replicas' && (VITAL as readonly unknown[]).includes(field);
}

// --- Rows ---

type Piece = HTMLElement | null;

function row(depth: number, ...children: readonly Piece[]): HTMLElement {
  const made = element('div', { class: 'tree-row' }, ...children);
  made.style.paddingLeft = `${6 + depth * 13}px`;
  return made;
}

function leaf(
  name: string,
  value: StateValue,
  changed: boolean,
  before: StateValue | undefined,
  depth: number,
): HTMLElement {
  const made = row(
    depth,
    element('span', { class: 'name' }, name),
    changed && before !== undefined ? element('span', { class: 'was' }, valueText(before)) : null,
    element('span', { class: valueClass(value) }, valueText(value)),
  );
  made.setAttribute('role', 'treeitem');
  if (changed) made.classList.add('changed');
  return made;
}

function goneRow(name: string, value: StateValue, depth: number): HTMLElement {
  const made = row(
    depth,
    element('span', { class: 'name' }, name),
    element('span', { class: 'was' }, isNode(value) ? brief(value) : valueText(value)),
    element('span', { class: 'quiet' }, 'gone'),
  );
  made.setAttribute('role', 'treeitem');
  made.classList.add('changed');
  return made;
}

/** The first few leaves of a branch, on one line. */
function brief(node: StateNode): string {
  const words = Object.values(node).filter((value) => !isNode(value)).slice(0, 3).map(valueText);
  return words.join(', ');
}

function valueText(value: StateValue): string {
  if (typeof value === 'number') return Number.isInteger(value) ? grouped(value) : String(value);
  if (value === '') return 'none';
  return isNode(value) ? brief(value) : String(value);
}

function valueClass(value: StateValue): string {
  return value === null || value === '' || value === 'none' ? 'value quiet' : 'value';
}

// --- The table ---

/** Of a system that we do not know the first few values that stand by themselves. */
function vitalFields(nodes: readonly StateNode[]): readonly string[] {
  const fields = VITAL.filter((field) => nodes.some((node) => field in node));
  if (fields.length > 1) return fields;
  const names = new Set<string>();
  for (const node of nodes) {
    for (const [name, value] of Object.entries(node)) if (!isNode(value)) names.add(name);
  }
  return [...names].slice(0, VITAL.length);
}

function vitalTable(run: Run, replicas: StateNode, marks: Marks): HTMLElement {
  const names = Object.keys(replicas);
  const fields = vitalFields(names.map((name) => replicas[name] as StateNode));
  const head = element('tr', {}, element('th', {}));
  for (const name of names) head.append(element('th', { more: { scope: 'col' } }, name));
  const rows = fields.map((field) =>
    element(
      'tr',
      {},
      element('th', { more: { scope: 'row' } }, field),
      ...names.map((name) => {
        const value = (replicas[name] as StateNode)[field];
        const path = `/replicas/${name}/${field}`;
        const before = marks.changed.get(path);
        const changed = marks.changed.has(path);
        const words = value === undefined ? '' : valueText(value);
        const cell = element('td', { class: changed ? 'changed' : '' }, words);
        if (changed && before !== undefined) cell.title = `before: ${valueText(before)}`;
        if (ALARMING.has(value)) cell.classList.add('alarm');
        if (value === 'primary') cell.classList.add('strong');
        return cell;
      }),
    ),
  );
  return element('table', { label: `Replicas of ${run.name}` },
    element('thead', {}, head), element('tbody', {}, ...rows));
}
