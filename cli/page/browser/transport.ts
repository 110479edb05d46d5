/** The bar that moves: steps, play and speed, the position, and the search. */
import { KIND } from '../timeline.ts';
import { type App, type Panel, SPEEDS } from './app.ts';
import { button, element, icon } from './dom.ts';
import { grouped, secondsText } from './numbers.ts';

const QUICK = ['view change', 'commit', 'crash', 'restart', 'drop', 'checkpoint', 'timeout'] as const;
export const FAR = 100;
const STOP_LABEL = 'Stop executing here (Space)';

export class Transport implements Panel {
  readonly root: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly app: App;
  private readonly moves: HTMLButtonElement[];
  private readonly playButton: HTMLButtonElement;
  private readonly eventBox: HTMLInputElement;
  private readonly end: HTMLElement;
  private readonly time: HTMLElement;
  private readonly notice: HTMLElement;
  private readonly progress: HTMLProgressElement;
  private readonly violationButton: HTMLButtonElement;
  /** Buttons that search for what there is in this run; they stand over the list of events. */
  readonly quick: HTMLElement;
  private quickFor = '';

  constructor(app: App) {
    this.app = app;
    const move = (name: Parameters<typeof icon>[0], label: string, act: () => void): HTMLButtonElement =>
      button(icon(name), label, act);
    const back = [
      move('first', 'To the beginning (Home)', () => app.jump(0)),
      move('backFar', `${FAR} events back (Shift+Left)`, () => app.step(-FAR)),
      move('back', 'One event back (Left)', () => app.step(-1)),
    ];
    this.playButton = button(icon('play'), 'Play (Space)', () => app.togglePlay(), { class: 'play' });
    const forth = [
      move('forward', 'One event on (Right)', () => app.step(1)),
      move('forwardFar', `${FAR} events on (Shift+Right)`, () => app.step(FAR)),
      move('last', 'To the end (End)', () => app.jump(Infinity)),
    ];
    this.moves = [...back, ...forth];
    this.violationButton = button('Violation', 'To the violation (x)', () => app.goToViolation(), {
      class: 'to-violation',
    });
    const speed = element('select', { label: 'Speed of playing', title: 'Speed of playing' });
    for (const value of SPEEDS) {
      const option = element('option', { value: String(value) }, `${grouped(value)} events/s`);
      option.selected = value === app.speed;
      speed.append(option);
    }
    speed.addEventListener('change', () => {
      app.speed = Number(speed.value);
    });
    this.eventBox = element('input', {
      type: 'text', class: 'event-box', label: 'Number of the event; Enter goes there', value: '0',
    });
    this.eventBox.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      const wanted = Number(this.eventBox.value.replaceAll(/[,_ ]/g, ''));
      if (Number.isInteger(wanted) && wanted >= 0) app.jump(wanted);
      this.eventBox.blur();
    });
    this.end = element('span', { class: 'quiet' });
    this.time = element('span', { class: 'clock' });
    this.search = element('input', {
      type: 'search',
      label: 'Search the run',
      placeholder: 'next: view change, send by R1, commit op 7',
      more: { spellcheck: 'false', autocomplete: 'off' },
    });
    this.search.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') app.find(this.search.value, !event.shiftKey);
    });
    this.quick = element('div', {
      class: 'quick', role: 'group', label: 'Next event of a kind; with Shift the previous',
    });
    this.notice = element('span', { class: 'notice', role: 'status' });
    this.progress = element('progress', { label: 'Executing' });
    this.root = element(
      'section',
      { class: 'transport', label: 'Moving through the run' },
      element('div', { class: 'buttons' }, ...back, this.playButton, ...forth, this.violationButton),
      speed,
      element('label', { class: 'position' }, 'event ', this.eventBox, this.end),
      this.time,
      this.progress,
      this.notice,
      element(
        'div',
        { class: 'search' },
        this.search,
        button(icon('up'), 'Previous match (Shift+N)', () => app.find(this.search.value, false)),
        button(icon('down'), 'Next match (N)', () => app.find(this.search.value, true)),
      ),
    );
  }

  update(): void {
    const { app } = this;
    const { player } = app.run;
    this.playButton.replaceChildren(icon(app.playing || app.recording ? 'pause' : 'play'));
    const label = app.recording ? STOP_LABEL : app.playing ? 'Pause (Space)' : 'Play (Space)';
    this.playButton.setAttribute('aria-label', label);
    this.playButton.title = label;
    for (const move of this.moves) move.disabled = app.recording;
    this.violationButton.disabled = app.recording || player.violation === null;
    if (document.activeElement !== this.eventBox) this.eventBox.value = grouped(player.position);
    const all = player.end;
    this.end.textContent = all === null ? ` of ${grouped(player.known)} known` : ` of ${grouped(all)}`;
    this.time.textContent = secondsText(player.world.time.now);
    this.notice.textContent = app.recording ? 'executing' : app.notice;
    const busy = app.recording || !player.arrived;
    this.progress.hidden = !busy;
    if (busy) {
      this.progress.max = app.recording ? Math.max(app.data.events, player.known) : Math.max(1, player.goal);
      this.progress.value = player.position;
    }
    this.updateQuick();
  }

  /** Only what there is in this run. */
  private updateQuick(): void {
    const { app } = this;
    const { timeline, end } = app.run.player;
    const key = `${app.runs.indexOf(app.run)} ${app.run.name} ${end}`;
    if (key === this.quickFor || end === null) return;
    this.quickFor = key;
    const has = (test: (index: number) => boolean): boolean => {
      for (let i = 0; i < timeline.count; i++) if (test(i)) return true;
      return false;
    };
    const present = QUICK.filter((words) => {
      const kind = words === 'view change' ? KIND.view_change : KIND[words as 'crash'];
      return has((i) => (kind === undefined ? timeline.what(i) === words : timeline.kinds[i] === kind));
    });
    this.quick.replaceChildren(
      ...present.map((words) => {
        const label = `Next ${words}; with Shift the previous`;
        const made = element('button', { type: 'button', label, title: label }, words);
        made.addEventListener('click', (event) => app.find(words, !event.shiftKey));
        return made;
      }),
    );
  }
}
