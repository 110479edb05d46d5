/** What run this is, what went wrong in it, whether this browser found the same, and the other runs. */
import { type SeedViolation } from '../../../sim/search/seed_result.ts';
import { outcomeOf, partingEvent } from '../fork.ts';
import { type App, type Panel } from './app.ts';
import { button, element, icon, offerDownload } from './dom.ts';
import { grouped, secondsText } from './numbers.ts';
import { type Run } from './run.ts';

export class Header implements Panel {
  readonly root: HTMLElement;
  private readonly app: App;
  private readonly tabs: HTMLElement;
  private readonly digest: HTMLElement;
  private readonly verdict: HTMLElement;
  private shown = '';

  constructor(app: App, bundle: (() => Uint8Array<ArrayBuffer>) | null, help: () => void) {
    this.app = app;
    const { data } = app;
    this.tabs = element('div', { class: 'runs', role: 'tablist', label: 'Runs' });
    this.digest = element('div', { class: 'digest', role: 'status' });
    this.verdict = element('p', { class: 'verdict' });
    const canary = data.canary === null ? null : element('span', { class: 'chip' }, `canary ${data.canary}`);
    this.root = element(
      'header',
      {},
      element(
        'div',
        { class: 'title' },
        element('h1', {}, data.scenario, element('span', { class: 'quiet' }, ` seed ${data.seed}`)),
        canary,
        this.tabs,
        this.digest,
        bundle === null ? null : button('Bundle', `Save the bundle ${data.fileName}`, () => {
          offerDownload(data.fileName, 'application/octet-stream', bundle());
        }),
        button('Keys', 'Keys and help (?)', help),
      ),
      this.verdict,
    );
  }

  update(): void {
    const { app } = this;
    const state = app.runs.map((run) => `${run.name} ${run.player.end} ${run === app.run}`).join();
    if (state === this.shown) return;
    this.shown = state;
    this.tabs.replaceChildren(...app.runs.map((run) => this.tab(run)));
    this.tabs.hidden = app.runs.length === 1;
    this.showDigest();
    this.showVerdict();
  }

  private tab(run: Run): HTMLElement {
    const { app } = this;
    const current = run === app.run;
    const made = element(
      'button',
      {
        type: 'button',
        role: 'tab',
        class: 'tab',
        more: { 'aria-selected': String(current) },
        onclick: () => app.choose(run),
      },
      run.name,
    );
    if (run === app.recorded) return made;
    const close = button(icon('close'), `Close ${run.name}`, () => app.closeFork(run), { class: 'close' });
    return element('span', { class: 'tab-and-close' }, made, close);
  }

  /** Of the run that is shown: equal to what the bundle recorded, or where it parts. */
  private showDigest(): void {
    const { app, digest } = this;
    const { run } = app;
    const { player } = run;
    digest.className = 'digest';
    if (player.end === null || player.result === null) {
      digest.textContent = 'executing';
      return;
    }
    const short = player.result.digest.slice(0, 8);
    digest.title = `${player.result.digest} in this browser; recorded: ${app.data.digest}`;
    if (run !== app.recorded) {
      const parting = partingEvent(app.recorded.player, player);
      if (parting === null) {
        digest.textContent = `digest ${short}: as recorded`;
        return;
      }
      const jump = button(`event ${grouped(parting)}`, 'To where it parts from the recorded run', () => {
        app.jump(parting);
      }, { class: 'link' });
      digest.replaceChildren('parts from the recorded run at ', jump);
      return;
    }
    if (player.result.digest === app.data.digest) {
      digest.classList.add('good');
      digest.textContent = `re-executed: digest equal, ${short}`;
      return;
    }
    digest.classList.add('bad');
    const at = app.departure();
    const where = at === null ? '' : ` from event ${grouped(at)} on`;
    digest.textContent = `digest ${short} differs from the recorded one${where}`;
  }

  private showVerdict(): void {
    const { app, verdict } = this;
    const { run } = app;
    const { player } = run;
    const { failure } = app.data;
    const violation = run === app.recorded ? failure : player.violation;
    verdict.classList.toggle('violated', violation !== null);
    if (player.end === null && (run !== app.recorded || failure === null)) {
      verdict.replaceChildren(`${run.name} is being executed`);
      return;
    }
    const lead: HTMLElement[] = [];
    if (run !== app.recorded) lead.push(element('strong', {}, `${outcomeOf(app.recorded.player, player)}. `));
    if (violation === null) verdict.replaceChildren(...lead, endText(run));
    else verdict.replaceChildren(...lead, ...violationWords(violation));
    const now = player.violation;
    if (run !== app.recorded || player.end === null) return;
    if (now?.event === failure?.event && now?.message === failure?.message) return;
    const here = now === null ? 'there is no violation' : `${now.invariant} at event ${grouped(now.event)}`;
    verdict.append(element('strong', {}, ` In this browser: ${here}.`));
  }
}

function violationWords(violation: SeedViolation): (HTMLElement | string)[] {
  const { invariant, message, event, virtualMicros } = violation;
  return [
    element('strong', { class: 'checker' }, invariant),
    ` ${message} `,
    element('span', { class: 'quiet' }, `event ${grouped(event)}, ${secondsText(virtualMicros)}`),
  ];
}

/** Of a run without a violation. */
function endText({ player }: Run): string {
  const unmet = player.result?.unmet ?? [];
  const more = unmet.length === 0 ? '' : ` The scenario did not happen in full: ${unmet.join('; ')}.`;
  return `The run ends at event ${grouped(player.end ?? 0)} and every checker is content.${more}`;
}
