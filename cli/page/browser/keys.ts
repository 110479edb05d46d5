/** Keys, and the panel that lists them. */
import { type App } from './app.ts';
import { button, element, icon } from './dom.ts';
import { type Lanes } from './lanes.ts';
import { type StatePanel } from './state_panel.ts';
import { FAR, type Transport } from './transport.ts';

interface Key {
  /** `KeyboardEvent.key`, with `Shift+` before it where Shift must be held. */
  readonly keys: readonly string[];
  readonly shown: string;
  readonly words: string;
  readonly act: () => void;
}

export interface KeyPanels {
  readonly lanes: Lanes;
  readonly state: StatePanel;
  readonly transport: Transport;
  readonly showTab: (number: number) => void;
}

export class Keys {
  readonly dialog: HTMLDialogElement;
  private readonly keys: readonly Key[];

  constructor(app: App, { lanes, state, transport, showTab }: KeyPanels) {
    const find = (words: string, forwards = true) => (): void => app.find(words, forwards);
    this.keys = [
      key('Space', 'Space', 'play, pause; while executing: stop here', () => app.togglePlay()),
      key('ArrowRight .', 'Right', 'one event on', () => app.step(1)),
      key('ArrowLeft ,', 'Left', 'one event back', () => app.step(-1)),
      key('Shift+ArrowRight PageDown', 'Shift Right', `${FAR} events on`, () => app.step(FAR)),
      key('Shift+ArrowLeft PageUp', 'Shift Left', `${FAR} events back`, () => app.step(-FAR)),
      key('ArrowDown j', 'Down, j', 'next entry that is shown', () => app.stepEntry(true)),
      key('ArrowUp k', 'Up, k', 'previous entry that is shown', () => app.stepEntry(false)),
      key('Home', 'Home', 'to the beginning', () => app.jump(0)),
      key('End', 'End', 'to the end', () => app.jump(Infinity)),
      key('x', 'x', 'to the violation', () => app.goToViolation()),
      key('o', 'o', 'to the other end of the message', () => app.goToPartner()),
      key('/', '/', 'search', () => {
        transport.search.focus();
        transport.search.select();
      }),
      key('n', 'n', 'next match', () => app.find(transport.search.value, true)),
      key('Shift+N', 'N', 'previous match', () => app.find(transport.search.value, false)),
      key('v', 'v', 'next view change', find('view change')),
      key('Shift+V', 'V', 'previous view change', find('view change', false)),
      key('c', 'c', 'next commit', find('commit')),
      key('Shift+C', 'C', 'previous commit', find('commit', false)),
      key('r', 'r', 'next crash', find('crash')),
      key('Shift+R', 'R', 'previous crash', find('crash', false)),
      key('m', 'm', 'mark: compare states with here; again: with the step before', () => app.mark()),
      key('d', 'd', 'state: changes only, or all', () => state.toggleOnlyChanges()),
      key('+ =', '+', 'lanes: show less, in more detail', () => lanes.zoom(1.6)),
      key('-', '-', 'lanes: show more', () => lanes.zoom(1 / 1.6)),
      key('0', '0', 'lanes: show all', () => lanes.fit()),
      key('t', 't', 'lanes: over time, or event by event', () => lanes.turnAxis()),
      key('1', '1', 'journals', () => showTab(0)),
      key('2', '2', 'disks', () => showTab(1)),
      key('3', '3', 'what if', () => showTab(2)),
      key('? h', '?', 'this list', () => this.toggle()),
    ];
    const list = element('dl', {});
    for (const { shown, words } of this.keys) {
      list.append(element('dt', {}, element('kbd', {}, shown)), element('dd', {}, words));
    }
    this.dialog = element(
      'dialog',
      { label: 'Keys and help' },
      element('div', { class: 'help-head' }, element('h2', {}, 'Keys'),
        button(icon('close'), 'Close', () => this.dialog.close())),
      list,
      element('p', {},
        'Lanes: wheel zooms, dragging or Shift+wheel moves, a click goes to the event. ',
        'Nothing here is a recording: each position is executed anew in this browser, ',
        'going back restores a snapshot and executes on from it.'),
    );
    document.addEventListener('keydown', (event) => this.onKey(event));
  }

  toggle(): void {
    if (this.dialog.open) this.dialog.close();
    else this.dialog.showModal();
  }

  private onKey(event: KeyboardEvent): void {
    if (modified(event)) return;
    if (typing(event)) {
      if (event.key === 'Escape') (event.target as HTMLElement).blur();
      return;
    }
    if (this.dialog.open && event.key !== '?' && event.key !== 'h') return;
    const name = event.key === ' ' ? 'Space' : event.key;
    // A button that has the focus takes Space and Enter itself.
    if (name === 'Space' && event.target instanceof HTMLButtonElement) return;
    const shifted = /^[A-Z]$/.test(name) || (event.shiftKey && name.length > 1) ? `Shift+${name}` : name;
    const found = this.keys.find(({ keys }) => keys.includes(shifted));
    if (found === undefined) return;
    event.preventDefault();
    found.act();
  }
}

/** `keys` with spaces between them. */
function key(keys: string, shown: string, words: string, act: () => void): Key {
  return { keys: keys.split(' '), shown, words, act };
}

function modified(event: KeyboardEvent): boolean {
  return event.ctrlKey || event.altKey || event.metaKey;
}

function typing({ target }: KeyboardEvent): boolean {
  if (target instanceof HTMLInputElement) return target.type !== 'checkbox';
  return target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}
