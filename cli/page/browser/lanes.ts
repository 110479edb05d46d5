/** The lanes and the strip of the whole run under them: drawing on demand, pointer and wheel. */
import { KIND, NONE } from '../timeline.ts';
import { type App, type Panel } from './app.ts';
import { button, element } from './dom.ts';
import { type Target } from './lane_marks.ts';
import { paintLanes } from './lane_painter.ts';
import { secondsText, span } from './numbers.ts';
import { type Run } from './run.ts';
import { AXIS_HEIGHT, LABEL_WIDTH, laneUnits, laneY, type Scene } from './scene.ts';
import { onThemeChange, readTheme, type Theme } from './theme.ts';
import { Viewport } from './viewport.ts';

/** Pixels within which the pointer finds a mark, and after which a press is a drag. */
const REACH = 9;
const DRAG = 4;
const STRIP_HEIGHT = 30;
const UNIT_HEIGHT_MIN = 12;

export class Lanes implements Panel {
  readonly root: HTMLElement;
  readonly viewport = new Viewport();
  readonly axisButton: HTMLButtonElement;
  private readonly app: App;
  private readonly canvas: HTMLCanvasElement;
  private readonly strip: HTMLCanvasElement;
  private readonly scroller: HTMLElement;
  private readonly tip: HTMLElement;
  private theme: Theme = readTheme();
  private targets: readonly Target[] = [];
  private hovered = NONE;
  private drag: { readonly x: number; moved: boolean } | null = null;
  private followed = -1;
  private shownRun: Run | null = null;
  private readonly countsByPixel: Map<string, Float64Array> = new Map();

  constructor(app: App) {
    this.app = app;
    this.canvas = element('canvas', {
      tabIndex: 0,
      role: 'img',
      label: 'Lanes: a line for each replica and client, with events, messages and faults over time',
    });
    this.strip = element('canvas', {
      class: 'strip', role: 'img', label: 'The whole run; drag to move the view',
    });
    this.axisButton = button('', 'Lanes over time, or event by event (t)', () => this.turnAxis());
    this.tip = element('div', { class: 'tip', role: 'status', hidden: true });
    this.scroller = element('div', { class: 'lane-scroller' }, this.canvas);
    this.root = element('section', { class: 'lanes', label: 'Lanes' }, this.scroller, this.strip, this.tip);
    new ResizeObserver(() => app.changed()).observe(this.root);
    onThemeChange(() => {
      this.theme = readTheme();
      app.changed();
    });
    this.listen();
    this.listenToStrip();
  }

  update(): void {
    const { run } = this.app;
    const { player } = run;
    const { timeline } = player;
    const last = timeline.count === 0 ? 1 : (timeline.micros[timeline.count - 1] as number);
    this.viewport.extend(last, player.known);
    if (this.shownRun !== run) this.hovered = NONE;
    if (!this.app.recording && (this.followed !== player.goal || this.shownRun !== run)) {
      this.followed = player.goal;
      this.viewport.reveal(this.goalValue());
    }
    this.shownRun = run;
    this.axisButton.textContent = this.viewport.axis === 'time' ? 'Event by event' : 'Over time';
    this.paint();
    this.paintStrip();
    this.showTip();
  }

  /** Where one goes, on the axis. */
  private goalValue(): number {
    const { player } = this.app.run;
    if (this.viewport.axis === 'events') return player.goal;
    const { timeline } = player;
    const index = timeline.firstOfEvent(player.goal);
    return index < timeline.count ? (timeline.micros[index] as number) : player.world.time.now;
  }

  // --- Commands ---

  /** Shows the last events up to where one stands, in detail. */
  showLast(events: number): void {
    const { player } = this.app.run;
    const { timeline } = player;
    const to = this.goalValue();
    const first = timeline.firstOfEvent(Math.max(0, player.goal - events));
    const from = first < timeline.count ? (this.viewport.column(timeline)[first] as number) : 0;
    const span = Math.max(1, to - from);
    this.viewport.show(from - span * 0.05, to + span * 0.08);
    this.app.changed();
  }

  zoom(factor: number): void {
    const { viewport } = this;
    const x = viewport.x(this.goalValue());
    const visible = x >= viewport.left && x <= viewport.left + viewport.width;
    viewport.zoom(factor, visible ? x : viewport.left + viewport.width / 2);
    this.app.changed();
  }

  fit(): void {
    this.viewport.fit();
    this.app.changed();
  }

  turnAxis(): void {
    this.viewport.turn(this.app.run.player.timeline);
    this.viewport.reveal(this.goalValue());
    this.app.changed();
  }

  // --- Painting ---

  private paint(): void {
    const { run } = this.app;
    const width = this.scroller.clientWidth;
    const height = Math.max(
      this.scroller.clientHeight,
      AXIS_HEIGHT + laneUnits(run) * UNIT_HEIGHT_MIN,
    );
    const context = prepare(this.canvas, width, height);
    if (context === null) return;
    this.viewport.left = LABEL_WIDTH;
    this.viewport.width = Math.max(10, width - LABEL_WIDTH);
    this.targets = paintLanes(context, this.scene(width, height));
  }

  private scene(width: number, height: number): Scene {
    const { run, shown } = this.app;
    return { run, viewport: this.viewport, theme: this.theme, shown, hovered: this.hovered, width, height };
  }

  /** How much happened where, the rare marks, and what part of it the lanes show. */
  private paintStrip(): void {
    const { run } = this.app;
    const { timeline } = run.player;
    const { viewport, theme } = this;
    const width = this.root.clientWidth;
    const context = prepare(this.strip, width, STRIP_HEIGHT);
    if (context === null) return;
    const plot = Math.max(10, width - LABEL_WIDTH);
    context.fillStyle = theme.raised;
    context.fillRect(0, 0, width, STRIP_HEIGHT);
    const column = viewport.column(timeline);
    const x = (value: number): number => LABEL_WIDTH + (value / viewport.end) * plot;
    const counts = this.density(plot);
    const most = counts.reduce((a, b) => Math.max(a, b), 1);
    context.fillStyle = theme.kinds.message;
    context.globalAlpha = 0.55;
    counts.forEach((count, pixel) => {
      if (count === 0) return;
      const tall = Math.max(1, (Math.sqrt(count) / Math.sqrt(most)) * (STRIP_HEIGHT - 8));
      context.fillRect(LABEL_WIDTH + pixel, STRIP_HEIGHT - 3 - tall, 1, tall);
    });
    context.globalAlpha = 1;
    const rare = ['partition', 'view_change', 'restart', 'crash', 'violation'] as const;
    for (const kind of rare) {
      context.fillStyle = theme.kinds[kind];
      for (let i = 0; i < timeline.count; i++) {
        if (timeline.kinds[i] !== KIND[kind]) continue;
        const tall = kind === 'violation' ? STRIP_HEIGHT : 6;
        context.fillRect(x(column[i] as number) - 0.75, 0, 1.5, tall);
      }
    }
    context.fillStyle = theme.accent;
    context.fillRect(x(this.goalNow()) - 1, 0, 2, STRIP_HEIGHT);
    const from = Math.max(LABEL_WIDTH, x(Math.max(0, viewport.from)));
    const to = Math.min(width, x(viewport.to));
    context.strokeStyle = theme.accent;
    context.lineWidth = 1;
    context.strokeRect(from + 0.5, 0.5, Math.max(4, to - from - 1), STRIP_HEIGHT - 1);
    context.globalAlpha = 0.08;
    context.fillRect(from, 0, Math.max(4, to - from), STRIP_HEIGHT);
    context.globalAlpha = 1;
  }

  private goalNow(): number {
    const { player } = this.app.run;
    return this.viewport.axis === 'events' ? player.position : player.world.time.now;
  }

  /** Entries a pixel; counted anew only when the run has grown or the strip has another width. */
  private density(plot: number): Float64Array {
    const { run } = this.app;
    const { timeline } = run.player;
    const { viewport } = this;
    const key = `${this.app.runs.indexOf(run)} ${run.name} ${viewport.axis} ${plot} ${timeline.count}`;
    let counts = this.countsByPixel.get(key);
    if (counts !== undefined) return counts;
    this.countsByPixel.clear();
    counts = new Float64Array(Math.ceil(plot) + 1);
    const column = viewport.column(timeline);
    for (let i = 0; i < timeline.count; i++) {
      const pixel = Math.floor(((column[i] as number) / viewport.end) * plot);
      counts[pixel] = (counts[pixel] as number) + 1;
    }
    this.countsByPixel.set(key, counts);
    return counts;
  }

  // --- Pointer ---

  private listen(): void {
    const { canvas, app } = this;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      this.drag = { x: event.offsetX, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (this.drag !== null && (this.drag.moved || Math.abs(event.offsetX - this.drag.x) > DRAG)) {
        this.viewport.pan(this.drag.x - event.offsetX);
        this.drag = { x: event.offsetX, moved: true };
        this.hovered = NONE;
        app.changed();
        return;
      }
      const found = this.targetAt(event.offsetX, event.offsetY);
      if (found === this.hovered) return;
      this.hovered = found;
      app.changed();
    });
    canvas.addEventListener('pointerup', (event) => {
      const dragged = this.drag?.moved ?? true;
      this.drag = null;
      if (!dragged) this.click(event.offsetX, event.offsetY);
    });
    canvas.addEventListener('pointerleave', () => {
      if (this.hovered === NONE) return;
      this.hovered = NONE;
      app.changed();
    });
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
      if (sideways) this.viewport.pan(event.deltaX === 0 ? event.deltaY : event.deltaX);
      else this.viewport.zoom(Math.exp(-event.deltaY * 0.0022), event.offsetX);
      app.changed();
    }, { passive: false });
  }

  private click(x: number, y: number): void {
    const found = this.targetAt(x, y);
    if (found !== NONE) return this.app.goToEntry(found);
    if (x < LABEL_WIDTH) return;
    const { timeline } = this.app.run.player;
    const value = this.viewport.valueAt(x);
    if (this.viewport.axis === 'events') return this.app.seek(Math.round(value));
    const index = Math.max(0, timeline.firstAtTime(value) - 1);
    if (index < timeline.count) this.app.seek(timeline.events[index] as number);
  }

  private targetAt(x: number, y: number): number {
    let best = NONE;
    let nearest = REACH * REACH;
    for (const target of this.targets) {
      const distance = (target.x - x) ** 2 + (target.y - y) ** 2;
      if (distance > nearest) continue;
      nearest = distance;
      best = target.index;
    }
    return best;
  }

  private showTip(): void {
    const { tip, hovered } = this;
    tip.hidden = hovered === NONE;
    if (hovered === NONE) return;
    const { run } = this.app;
    const entry = run.player.timeline.entry(hovered);
    const { micros, partners } = run.player.timeline;
    const head = `${run.nodeName(entry.node)}  event ${entry.event}  ${secondsText(entry.virtualMicros)}`;
    const partner = partners[hovered] as number;
    const way = partner === NONE ? 0 : Math.abs(entry.virtualMicros - (micros[partner] as number));
    const took = partner === NONE ? '' : ` (${span(way)} on its way)`;
    tip.replaceChildren(
      element('div', { class: 'tip-head' }, head),
      element('div', {}, `${entry.kind} ${entry.what}: ${entry.text}${took}`),
    );
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    const scene = this.scene(width, height);
    const column = this.viewport.column(run.player.timeline);
    const x = this.viewport.x(column[hovered] as number);
    const y = laneY(scene, entry.node) - this.scroller.scrollTop;
    const right = x > width * 0.6;
    tip.style.left = right ? '' : `${x + 14}px`;
    tip.style.right = right ? `${width - x + 14}px` : '';
    tip.style.top = y > height * 0.6 ? '' : `${y + 14}px`;
    tip.style.bottom = y > height * 0.6 ? `${this.root.clientHeight - y + 14}px` : '';
  }

  private listenToStrip(): void {
    let down = false;
    const move = (event: PointerEvent): void => {
      const { viewport } = this;
      const plot = Math.max(10, this.root.clientWidth - LABEL_WIDTH);
      const middle = ((event.offsetX - LABEL_WIDTH) / plot) * viewport.end;
      const half = (viewport.to - viewport.from) / 2;
      viewport.show(middle - half, middle + half);
      this.app.changed();
    };
    this.strip.addEventListener('pointerdown', (event) => {
      down = true;
      this.strip.setPointerCapture(event.pointerId);
      move(event);
    });
    this.strip.addEventListener('pointermove', (event) => {
      if (down) move(event);
    });
    this.strip.addEventListener('pointerup', () => {
      down = false;
    });
  }
}

/** Sized for the screen's pixels; drawing is in the page's. */
function prepare(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const ratio = Math.max(1, window.devicePixelRatio);
  const context = canvas.getContext('2d');
  if (context === null || width <= 0 || height <= 0) return null;
  const w = Math.round(width * ratio);
  const h = Math.round(height * ratio);
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
