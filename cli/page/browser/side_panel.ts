/** Journals, disks and forks, one at a time. */
import { type App, type Panel } from './app.ts';
import { DiskView } from './disk_panel.ts';
import { element, replaceChildren } from './dom.ts';
import { hasJournals, journalTable } from './journal_panel.ts';
import { type Theme } from './theme.ts';
import { WhatIf } from './what_if.ts';

const TABS = ['Journals', 'Disks', 'What if'] as const;

export class SidePanel implements Panel {
  readonly root: HTMLElement;
  private readonly app: App;
  private readonly tabs: readonly HTMLElement[];
  private readonly body: HTMLElement;
  private readonly disks: DiskView;
  private readonly whatIf: WhatIf;
  private current = 0;
  private shown = '';

  constructor(app: App, theme: () => Theme) {
    this.app = app;
    this.disks = new DiskView(app, theme);
    this.whatIf = new WhatIf(app);
    this.tabs = TABS.map((name, number) =>
      element('button', {
        type: 'button', role: 'tab', class: 'tab', title: `${name} (${number + 1})`,
        onclick: () => this.show(number),
      }, name));
    this.body = element('div', { class: 'scroller', role: 'tabpanel', tabIndex: 0 });
    this.root = element(
      'section', { class: 'panel side', label: 'Details' },
      element('div', { class: 'tabs', role: 'tablist' }, ...this.tabs),
      this.body,
    );
    new ResizeObserver(() => {
      this.shown = '';
      app.changed();
    }).observe(this.body);
  }

  show(number: number): void {
    this.current = number;
    this.shown = '';
    this.app.changed();
  }

  update(): void {
    const { app } = this;
    const { run } = app;
    const [journals] = this.tabs;
    if (journals !== undefined && !app.recording) journals.hidden = !hasJournals(run);
    if (this.current === 0 && journals?.hidden === true) this.current = 1;
    this.tabs.forEach((tab, number) => tab.setAttribute('aria-selected', String(number === this.current)));
    if (this.current === 2) {
      this.whatIf.update();
      if (this.body.firstChild !== this.whatIf.root) replaceChildren(this.body, this.whatIf.root);
      return;
    }
    if (app.recording || !run.player.arrived) return;
    const { position } = run.player;
    const key = `${this.current} ${run.name} ${position} ${run.base?.event} ${run.marked?.event}`;
    if (key === this.shown) return;
    this.shown = key;
    if (this.current === 0) {
      replaceChildren(this.body, journalTable(run, this.body.clientWidth - 20));
    } else {
      if (this.body.firstChild !== this.disks.root) replaceChildren(this.body, this.disks.root);
      this.disks.update();
    }
  }
}
