/** The time-travel page: reads what it was given, builds itself, and executes the run. */
import { planFrom, planProblem } from '../../../sim/plan_check.ts';
import { canaryIdOf } from '../../../sim/system_registry.ts';
import { type PageData } from '../page_data.ts';
import { App } from './app.ts';
import { button, element } from './dom.ts';
import { EventList } from './event_list.ts';
import { Header } from './header.ts';
import { Keys } from './keys.ts';
import { Lanes } from './lanes.ts';
import { SidePanel } from './side_panel.ts';
import { StatePanel } from './state_panel.ts';
import { onThemeChange, readTheme } from './theme.ts';
import { Transport } from './transport.ts';

/** What the lanes show when the run has been executed: how it came to its end. */
const LAST_EVENTS = 160;

function given(id: string): string {
  const text = document.getElementById(id)?.textContent;
  if (text === null || text === undefined) throw new Error(`the page holds no "${id}"`);
  return text;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function tapeOf(base64: string): Uint16Array {
  const bytes = bytesOf(base64);
  return Uint16Array.from({ length: bytes.length >> 1 }, (_, i) =>
    (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8));
}

function build(root: HTMLElement): void {
  const data = JSON.parse(given('data')) as PageData;
  const problem = planProblem(data.plan);
  if (problem !== null) throw new Error(`the plan is refused: ${problem}`);
  const plan = planFrom(data.plan);
  const app = new App(data, plan, canaryIdOf(plan, data.canary), tapeOf(data.digestTape));
  let theme = readTheme();
  onThemeChange(() => {
    theme = readTheme();
  });
  const lanes = new Lanes(app);
  const transport = new Transport(app);
  const events = new EventList(app, transport.quick);
  const state = new StatePanel(app);
  const side = new SidePanel(app, () => theme);
  const keys = new Keys(app, { lanes, state, transport, showTab: (number) => side.show(number) });
  const bundle = given('bundle');
  const bytes = bundle === '' ? null : (): Uint8Array<ArrayBuffer> => bytesOf(bundle);
  const header = new Header(app, bytes, () => keys.toggle());

  const tools = element('div', { class: 'lane-tools' },
    events.legend,
    element('div', { class: 'buttons' },
      lanes.axisButton,
      button('Zoom in', 'Show less, in more detail (+)', () => lanes.zoom(1.6)),
      button('Zoom out', 'Show more (-)', () => lanes.zoom(1 / 1.6)),
      button('All', 'Show the whole run (0)', () => lanes.fit())));
  root.append(
    header.root,
    transport.root,
    tools,
    lanes.root,
    element('main', {}, events.root, state.root, side.root),
    keys.dialog,
  );
  app.onRecorded = () => lanes.showLast(LAST_EVENTS);
  for (const panel of [header, transport, lanes, events, state, side]) app.add(panel);
  app.changed();
  // For tests and for the curious: the page has no other door.
  Object.assign(globalThis, { timeTravel: Object.assign(app, { lanes: lanes.viewport }) });
}

/** Of the program; systems are registered by then. */
export function showPage(): void {
  const root = document.getElementById('app') as HTMLElement;
  try {
    build(root);
  } catch (error) {
    root.replaceChildren(element('p', { class: 'broken', role: 'alert' },
      `This page cannot show its run: ${error instanceof Error ? error.message : String(error)}`));
    throw error;
  }
}
