/** The entries as a list, the one that is looked at in the middle, and its details. */
import { ENTRY_KINDS, type EntryKind } from '../../../sim/recorder.ts';
import { KIND, NONE } from '../timeline.ts';
import { type App, type Panel } from './app.ts';
import { button, element } from './dom.ts';
import { grouped, span } from './numbers.ts';
import { type Run } from './run.ts';

const ROW_HEIGHT = 19;
const KIND_WORDS = ENTRY_KINDS.map((kind) => kind.replace('_', ' '));

export class EventList implements Panel {
  readonly root: HTMLElement;
  /** The kinds, as switches: they say what lanes and list show. */
  readonly legend: HTMLElement;
  private readonly app: App;
  private readonly scroller: HTMLElement;
  private readonly rows: HTMLElement;
  private readonly details: HTMLElement;
  private readonly count: HTMLElement;
  /** Indices of the entries that are shown, in order. */
  private visible = new Int32Array(0);
  private visibleFor = '';
  private followed = NONE;
  private followedRun: Run | null = null;
  private painted = '';

  constructor(app: App, quick: HTMLElement) {
    this.app = app;
    this.legend = element('div', { class: 'legend', role: 'group', label: 'Kinds that are shown' });
    for (const kind of ENTRY_KINDS) this.legend.append(this.legendButton(kind));
    this.rows = element('div', { class: 'rows', role: 'listbox', label: 'Events' });
    this.scroller = element('div', { class: 'scroller', tabIndex: 0 }, this.rows);
    this.scroller.addEventListener('scroll', () => this.paint());
    this.details = element('div', { class: 'details', role: 'status' });
    this.count = element('span', { class: 'quiet' });
    this.root = element(
      'section',
      { class: 'panel events', label: 'Events' },
      element('h2', {}, 'Events ', this.count),
      quick,
      this.scroller,
      this.details,
    );
    new ResizeObserver(() => this.paint()).observe(this.scroller);
  }

  private legendButton(kind: EntryKind): HTMLElement {
    const words = kind.replace('_', ' ');
    const made = element(
      'button',
      {
        type: 'button',
        class: `kind k-${kind.replace('_', '-')}`,
        title: `Show or hide: ${words}`,
        more: { 'data-kind': kind, 'aria-pressed': 'true' },
        onclick: () => this.app.toggleKind(kind),
      },
      words,
    );
    return made;
  }

  update(): void {
    const { app } = this;
    const { run } = app;
    const { timeline } = run.player;
    for (const item of this.legend.children) {
      const kind = item.getAttribute('data-kind') as EntryKind;
      item.setAttribute('aria-pressed', String(app.shown.has(kind)));
    }
    this.filter();
    this.showDetails();
    const followed = run.selected === NONE ? timeline.firstOfEvent(run.player.goal + 1) - 1 : run.selected;
    if (followed !== this.followed || run !== this.followedRun) {
      this.followed = followed;
      this.followedRun = run;
      this.reveal(followed);
    }
    this.painted = '';
    this.paint();
  }

  private filter(): void {
    const { app } = this;
    const { timeline } = app.run.player;
    const key = `${app.runs.indexOf(app.run)} ${app.run.name} ${timeline.count} ${[...app.shown].join()}`;
    if (key === this.visibleFor) return;
    this.visibleFor = key;
    const wanted = new Uint8Array(ENTRY_KINDS.length);
    for (const kind of app.shown) wanted[KIND[kind]] = 1;
    const visible = new Int32Array(timeline.count);
    let count = 0;
    for (let i = 0; i < timeline.count; i++) {
      if (wanted[timeline.kinds[i] as number] === 1) visible[count++] = i;
    }
    this.visible = visible.subarray(0, count);
    this.rows.style.height = `${count * ROW_HEIGHT}px`;
    this.count.textContent = `${grouped(count)} of ${grouped(timeline.count)}`;
  }

  /** Row of the entry, or of the last one before it. */
  private rowOf(index: number): number {
    let low = 0;
    let high = this.visible.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.visible[middle] as number) <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  private reveal(index: number): void {
    const top = this.rowOf(index) * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop + ROW_HEIGHT || top > scrollTop + clientHeight - 3 * ROW_HEIGHT) {
      this.scroller.scrollTop = Math.max(0, top - clientHeight * 0.55);
    }
  }

  /** Only the rows that are in view exist. */
  private paint(): void {
    const { run } = this.app;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW_HEIGHT) - 4);
    const end = Math.min(this.visible.length, first + Math.ceil(this.scroller.clientHeight / ROW_HEIGHT) + 8);
    const key = `${first} ${end}`;
    if (key === this.painted) return;
    this.painted = key;
    const rows: HTMLElement[] = [];
    for (let row = first; row < end; row++) rows.push(this.row(run, row));
    this.rows.replaceChildren(...rows);
  }

  private row(run: Run, row: number): HTMLElement {
    const index = this.visible[row] as number;
    const { player } = run;
    const { timeline } = player;
    const event = timeline.events[index] as number;
    const kind = timeline.kind(index);
    const classes = ['row'];
    if (event === player.position) classes.push('here');
    if (event > player.position) classes.push('later');
    if (index === run.selected) classes.push('selected');
    const made = element(
      'div',
      {
        class: classes.join(' '),
        role: 'option',
        more: { 'aria-selected': String(index === run.selected) },
        onclick: () => this.app.goToEntry(index),
      },
      element('span', { class: 'number' }, grouped(event)),
      element('span', { class: 'time' }, ((timeline.micros[index] as number) / 1e6).toFixed(4)),
      element('span', { class: 'node' }, run.nodeName(timeline.nodes[index] as number)),
      element('span', { class: `dot k-${kind.replace('_', '-')}`, title: KIND_WORDS[KIND[kind]] as string }),
      element('span', { class: 'what' }, wordsOf(run, index)),
    );
    made.style.top = `${row * ROW_HEIGHT}px`;
    return made;
  }

  private showDetails(): void {
    const { run } = this.app;
    const index = run.selected;
    if (index === NONE) {
      const at = run.player.position;
      this.details.replaceChildren(
        element('p', { class: 'quiet' }, at === 0
          ? 'Before the first event.'
          : `Event ${grouped(at)} is known, but left nothing to tell.`),
      );
      return;
    }
    const { timeline } = run.player;
    const entry = timeline.entry(index);
    const facts: [string, string][] = [
      ['event', `${grouped(entry.event)} at ${(entry.virtualMicros / 1e6).toFixed(6)} s`],
      ['kind', `${entry.kind.replace('_', ' ')}, ${entry.what.replace('_', ' ')}`],
    ];
    if (entry.peer !== NONE) {
      const ends = [run.nodeName(entry.node), run.nodeName(entry.peer)];
      const leaves = entry.what === 'send' || entry.what === 'duplicate';
      facts.push(['link', (leaves ? ends : ends.reverse()).join(' > ')]);
    }
    if (entry.view !== NONE) facts.push(['view', String(entry.view)]);
    if (entry.op !== NONE) facts.push(['op', grouped(entry.op)]);
    if (entry.cause !== '') facts.push(['cause', entry.cause]);
    const partner = timeline.partners[index] as number;
    const list = element('dl', {});
    for (const [name, value] of facts) {
      list.append(element('div', {}, element('dt', {}, name), element('dd', {}, value)));
    }
    const children: HTMLElement[] = [element('p', { class: 'text' }, entry.text), list];
    if (partner !== NONE) children.push(this.partnerButton(run, index, partner));
    this.details.replaceChildren(...children);
  }

  private partnerButton(run: Run, index: number, partner: number): HTMLElement {
    const { timeline } = run.player;
    const apart = Math.abs((timeline.micros[index] as number) - (timeline.micros[partner] as number));
    const event = grouped(timeline.events[partner] as number);
    const words = partner < index
      ? `sent ${span(apart)} before, at event ${event}`
      : `${timeline.what(partner)} ${span(apart)} later, at event ${event}`;
    return button(words, 'To the other end (o)', () => this.app.goToEntry(partner), { class: 'link' });
  }
}

/** `send prepare op 7 to R1`: the detail where the text does not begin with it. */
function wordsOf(run: Run, index: number): string {
  const { timeline } = run.player;
  const kind = timeline.kind(index);
  const text = timeline.text(index);
  if (kind === 'message') return `${timeline.what(index)} ${text}`;
  if (kind === 'storage' && !text.startsWith(timeline.what(index).replace('_', ' '))) {
    const what = timeline.what(index);
    const suffix = what.endsWith('_start') ? ' begins' : what.endsWith('_done') ? ' done' : '';
    return `${text}${suffix}`;
  }
  const named = kind === 'client' || kind === 'violation' || kind === 'check';
  return named ? `${timeline.what(index)}: ${text}` : text;
}
