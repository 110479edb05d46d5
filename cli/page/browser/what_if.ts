/**
 * Changes one decision and executes the whole run again: the message that is looked at, the messages
 * and sectors that chance hit near here, the scheduled faults, the planted bug. On top: what came of
 * the forks so far.
 */
import { CANARY } from '../../../core/canary.ts';
import { faultWords } from '../../vopr/plan_view.ts';
import { type TakenDecision } from '../decision_list.ts';
import { outcomeOf, partingEvent, type Change } from '../fork.ts';
import { NONE } from '../timeline.ts';
import { type App, FORKS_MAX } from './app.ts';
import { button, element, icon, offerDownload } from './dom.ts';
import { grouped, secondsText } from './numbers.ts';
import { type Run } from './run.ts';

const BEFORE_SHOWN = 30;
const AFTER_SHOWN = 15;
const FINDING_OUT = 'finding out what was decided';
const PARTS = ' digest parts at event ';

export class WhatIf {
  readonly root: HTMLElement;
  private readonly app: App;
  private shown = '';

  constructor(app: App) {
    this.app = app;
    this.root = element('div', { class: 'what-if' });
  }

  update(): void {
    const { app } = this;
    const { run } = app;
    if (app.recording) {
      this.shown = '';
      this.root.replaceChildren(this.quiet('First the run is executed to its end.'));
      return;
    }
    if (!run.decisions.complete) app.changed(); // Asking for them begins the work.
    const outcomes = app.runs.map(({ name, player }) => `${name} ${player.end}`).join();
    const key = [
      app.runs.indexOf(run), run.name, run.player.goal, run.selected, run.decisions.complete, outcomes,
      run.pending.map(({ text }) => text).join('|'),
    ].join(' ');
    if (key === this.shown) return;
    this.shown = key;
    this.root.replaceChildren(
      ...this.pending(run),
      ...this.forks(),
      ...this.message(run),
      ...this.taken(run),
      ...this.faults(run),
      ...this.planted(run),
    );
  }

  // --- What could be changed ---

  private pending(run: Run): HTMLElement[] {
    const { app } = this;
    const list = element('ul', {});
    for (const change of run.pending) {
      const close = button(icon('close'), `Do not change: ${change.text}`, () => app.removeChange(change));
      list.append(element('li', {}, element('span', { class: 'grow' }, change.text), close));
    }
    const full = app.forksFull;
    const fork = button('Fork the run', 'Executes the changed plan from its beginning', () => app.fork(), {
      class: 'primary',
      disabled: run.pending.length === 0 || full,
    });
    const hint = full ? `${FORKS_MAX} forks are open: close one first.`
      : run.pending.length === 0 ? 'Choose what shall be different; everything else stays as it was.' : '';
    return [
      element('div', { class: 'pending' },
        run.pending.length === 0 ? null : list,
        element('p', {}, fork, element('span', { class: 'quiet' }, ` ${hint}`))),
    ];
  }

  private change(label: string, change: Change): HTMLElement {
    return button(label, `${label}: ${change.text}`, () => this.app.addChange(change));
  }

  /** The message that is looked at: lose it, or not. */
  private message(run: Run): HTMLElement[] {
    const { timeline } = run.player;
    const index = run.selected;
    if (index === NONE || timeline.kind(index) !== 'message') return [];
    const partner = timeline.partners[index] as number;
    const send = partner !== NONE && partner < index ? partner : index;
    const what = `${run.nodeName(timeline.nodes[send] as number)} ${timeline.text(send)}`;
    const head = element('h3', {}, 'This message');
    if (timeline.what(send) !== 'send') return [];
    const key = run.decisions.messageKey(timeline, send);
    if (key === null) {
      if (!run.decisions.complete) return [head, this.quiet(FINDING_OUT)];
      const cause = partner === NONE ? '' : timeline.cause(Math.max(index, partner));
      const why = cause === '' ? '' : `, the cause was: ${cause}`;
      return [head, this.quiet(`${what}: chance did not decide about it${why}.`)];
    }
    const pin = (domain: string, value: number, text: string): Change =>
      ({ kind: 'pin', pin: { domain, key, value }, text });
    const lost = partner !== NONE && timeline.cause(Math.max(index, partner)) === 'loss';
    const choices = lost
      ? [this.change('Do not lose it', pin('loss', 0, `not lost: ${what}`))]
      : [
        this.change('Lose it', pin('loss', 1, `lost: ${what}`)),
        this.change('Send it twice', pin('duplicate', 1, `duplicated: ${what}`)),
        this.change('Damage it', pin('corrupt', 1, `damaged: ${what}`)),
      ];
    return [head, element('div', { class: 'choice' }, element('span', { class: 'grow' }, what), ...choices)];
  }

  /** What chance did, near here. */
  private taken(run: Run): HTMLElement[] {
    const head = element('h3', {}, 'By chance, near here');
    if (!run.decisions.complete) return [head, this.quiet(FINDING_OUT)];
    const before = run.decisions.before(run.player.goal, BEFORE_SHOWN);
    const after = run.decisions.after(run.player.goal, AFTER_SHOWN);
    if (before.length + after.length === 0) {
      return [head, this.quiet('Nothing was lost, damaged or torn in this run.')];
    }
    const made: HTMLElement[] = [head];
    if (before.length > 0) made.push(element('ul', {}, ...before.map((one) => this.decision(run, one))));
    if (after.length > 0) {
      made.push(this.quiet('After here:'));
      made.push(element('ul', {}, ...after.map((one) => this.decision(run, one))));
    }
    return made;
  }

  private decision(run: Run, decision: TakenDecision): HTMLElement {
    const text = `not: ${decision.text}`;
    return element('li', {},
      this.eventButton(decision.event),
      element('span', { class: 'grow' }, decision.text),
      this.change('Veto', { kind: 'pin', pin: run.decisions.veto(decision), text }));
  }

  private faults(run: Run): HTMLElement[] {
    const { faults } = run.player.plan;
    const head = element('h3', {}, `Scheduled faults (${faults.length})`);
    if (faults.length === 0) return [];
    const list = element('ul', {});
    faults.forEach((fault, index) => {
      const text = `${fault.kind} ${faultWords(fault, run.replicaCount)}`;
      const { timeline } = run.player;
      const first = timeline.firstAtTime(fault.at);
      const event = first < timeline.count ? (timeline.events[first] as number) : run.player.known;
      const item = element('li', {},
        this.eventButton(event, secondsText(fault.at)),
        element('span', { class: 'grow' }, text),
        this.change('Leave out', { kind: 'fault', index, text: `without: ${text}` }));
      if (first >= timeline.count) item.classList.add('later');
      list.append(item);
    });
    return [head, list];
  }

  private planted(run: Run): HTMLElement[] {
    const { canary } = this.app.data;
    if (canary === null || run.canary === CANARY.none) return [];
    return [
      element('h3', {}, 'Planted bug'),
      element('div', { class: 'choice' }, element('span', { class: 'grow' }, `canary ${canary}`),
        this.change('Without it', { kind: 'canary', text: `without canary ${canary}` })),
    ];
  }

  private eventButton(event: number, words = grouped(event)): HTMLElement {
    const label = `To event ${grouped(event)}`;
    return button(words, label, () => this.app.jump(event), { class: 'link number' });
  }

  private quiet(words: string): HTMLElement {
    return element('p', { class: 'quiet' }, words);
  }

  // --- What came of it ---

  private forks(): HTMLElement[] {
    const { app } = this;
    if (app.runs.length === 1) return [];
    return [element('h3', {}, 'Forks'), ...app.runs.slice(1).map((run) => this.fork(run))];
  }

  private fork(run: Run): HTMLElement {
    const { app } = this;
    const { player } = run;
    const parting = partingEvent(app.recorded.player, player);
    const outcome = player.end === null ? 'is being executed' : outcomeOf(app.recorded.player, player);
    const { violation } = player;
    const plan = (): string => JSON.stringify(player.plan, null, 2);
    const status = element('span', { class: 'quiet', role: 'status' });
    const copy = async (): Promise<void> => {
      try {
        await navigator.clipboard.writeText(plan());
        status.textContent = ' copied';
      } catch {
        status.textContent = ' this browser does not let a page copy: use Save';
      }
    };
    return element('div', { class: 'fork' },
      element('p', {},
        button(run.name, `Show ${run.name}`, () => app.choose(run), { class: 'link' }),
        ' ', element('strong', { class: `outcome ${outcome.replaceAll(' ', '-')}` }, outcome),
        element('span', { class: 'quiet' }, parting === null ? ' digest as recorded so far' : PARTS),
        parting === null ? null : button(grouped(parting), `Show ${run.name} where it parts`, () => {
          app.choose(run);
          app.jump(parting);
        }, { class: 'link' }),
        element('span', { class: 'quiet' }, `, ${grouped(player.known)} events`)),
      element('ul', { class: 'made' }, ...run.changes.map(({ text }) => element('li', {}, text))),
      violation === null ? null
        : element('p', {},
          `${violation.invariant} at event ${grouped(violation.event)}: ${violation.message}`),
      element('p', {},
        button('Copy plan', `Copy the plan of ${run.name} as JSON`, () => void copy()),
        ' ',
        button('Save plan', `Save the plan of ${run.name} as JSON`, () => {
          const stem = app.data.fileName.replace(/\.kmb$/, '');
          const suffix = run.name.toLowerCase().replace(' ', '-');
          offerDownload(`${stem}-${suffix}.json`, 'application/json', plan());
        }),
        status),
    );
  }
}
