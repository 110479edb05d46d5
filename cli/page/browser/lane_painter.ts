/**
 * Draws lanes: bands of state, faults of links, message arrows, marks, the place where one stands.
 * Draws what is in view and no more than there are pixels for.
 */
import { type Band } from '../bands.ts';
import { KIND, NONE, type Timeline } from '../timeline.ts';
import { cross, paintMarks, type Target } from './lane_marks.ts';
import { span } from './numbers.ts';
import { AXIS_HEIGHT, LABEL_WIDTH, laneHeight, laneY, type Scene } from './scene.ts';
import { type Theme } from './theme.ts';
import { axisStep, type Viewport } from './viewport.ts';

/** More messages than this in view: no arrows but those of the entry that is looked at. */
const ARROWS_MAX = 3000;
const ARROWS_CLEAR = 130;
/** Returns what the pointer can find. */
export function paintLanes(context: CanvasRenderingContext2D, scene: Scene): readonly Target[] {
  const { theme, width, height, run, viewport } = scene;
  context.fillStyle = theme.ground;
  context.fillRect(0, 0, width, height);
  paintAxis(context, scene);
  paintLaneLines(context, scene);
  context.save();
  context.beginPath();
  context.rect(LABEL_WIDTH, 0, width - LABEL_WIDTH, height);
  context.clip();
  paintBands(context, scene);
  const { timeline } = run.player;
  const column = viewport.column(timeline);
  const [first, end] = range(timeline, viewport);
  paintArrows(context, scene, first, end);
  const targets = paintMarks(context, scene, column, first, end);
  paintPosition(context, scene);
  context.restore();
  return targets;
}

/** Entries in view, a little more on both sides. */
function range(timeline: Timeline, viewport: Viewport): [first: number, end: number] {
  const margin = (viewport.to - viewport.from) * 0.01;
  const at = (value: number): number =>
    viewport.axis === 'time' ? timeline.firstAtTime(value) : timeline.firstOfEvent(value);
  return [at(viewport.from - margin), at(viewport.to + margin)];
}

function paintAxis(context: CanvasRenderingContext2D, scene: Scene): void {
  const { viewport, theme, width, height } = scene;
  const step = axisStep(viewport.to - viewport.from, Math.max(2, viewport.width / 110));
  context.font = `11px ${theme.font}`;
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  context.lineWidth = 1;
  for (let value = Math.ceil(Math.max(0, viewport.from) / step) * step; value <= viewport.to; value += step) {
    const x = Math.round(viewport.x(value)) + 0.5;
    if (x < LABEL_WIDTH) continue;
    context.strokeStyle = theme.line;
    context.beginPath();
    context.moveTo(x, AXIS_HEIGHT - 5);
    context.lineTo(x, height);
    context.stroke();
    context.fillStyle = theme.faint;
    if (x < width - 60) context.fillText(axisText(viewport, value, step), x + 4, AXIS_HEIGHT / 2);
  }
}

function axisText(viewport: Viewport, value: number, step: number): string {
  if (viewport.axis === 'events') return `${value}`;
  if (value === 0) return '0';
  // As many digits as tell this mark from the next.
  if (step >= 1_000_000) return `${value / 1_000_000} s`;
  const decimals = Math.max(0, Math.ceil(6 - Math.log10(step)));
  return value >= 1_000_000 ? `${(value / 1_000_000).toFixed(decimals)} s` : span(value);
}

function paintLaneLines(context: CanvasRenderingContext2D, scene: Scene): void {
  const { run, theme, width } = scene;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  for (let node = -1; node < run.nodeCount; node++) {
    const y = Math.round(laneY(scene, node)) + 0.5;
    context.strokeStyle = theme.line;
    context.beginPath();
    context.moveTo(LABEL_WIDTH, y);
    context.lineTo(width, y);
    context.stroke();
    context.fillStyle = node < run.replicaCount && node >= 0 ? theme.ink : theme.faint;
    context.font = `${node < run.replicaCount && node >= 0 ? '600 ' : ''}11.5px ${theme.font}`;
    context.fillText(run.nodeName(node), 8, y);
  }
}

function paintBands(context: CanvasRenderingContext2D, scene: Scene): void {
  const { run, viewport, theme } = scene;
  const time = viewport.axis === 'time';
  const right = viewport.left + viewport.width;
  const edges = (from: number, to: number): [number, number] => [
    Math.max(LABEL_WIDTH, viewport.x(from)),
    Math.min(right, viewport.x(Math.min(to, viewport.end))),
  ];
  run.bands.lanes.forEach((lane, node) => {
    const y = laneY(scene, node);
    const tall = Math.min(laneHeight(scene, node), 46);
    for (const band of lane) {
      const [x, end] = edges(time ? band.fromMicros : band.fromEvent, time ? band.toMicros : band.toEvent);
      if (end < x) continue;
      paintState(context, theme, band, x, end - x, y, tall);
    }
  });
  // Faults of links on the world's lane, one above the other where they overlap.
  const rows: number[] = [];
  for (const fault of run.bands.faults) {
    const from = time ? fault.fromMicros : fault.fromEvent;
    const [x, end] = edges(from, time ? fault.toMicros : fault.toEvent);
    if (fault.what === 'pause') {
      const half = laneHeight(scene, fault.node) * 0.3;
      if (end >= x) hatch(context, theme.kinds.crash, x, laneY(scene, fault.node) - half, end - x, half * 2);
      continue;
    }
    let row = rows.findIndex((busyUntil) => busyUntil <= from);
    if (row === -1) row = rows.push(0) - 1;
    rows[row] = time ? fault.toMicros : fault.toEvent;
    if (end < x) continue;
    const tall = laneHeight(scene, -1);
    const top = laneY(scene, -1) - tall * 0.4 + (row % 3) * (tall * 0.27);
    context.globalAlpha = 0.75;
    context.fillStyle = theme.kinds.partition;
    context.fillRect(x, top, Math.max(1.5, end - x), Math.max(2, tall * 0.2));
    context.globalAlpha = 1;
  }
}

function paintState(
  context: CanvasRenderingContext2D,
  theme: Theme,
  band: Band,
  x: number,
  width: number,
  y: number,
  tall: number,
): void {
  if (band.state === 'down') {
    context.globalAlpha = 0.16;
    context.fillStyle = theme.kinds.crash;
    context.fillRect(x, y - tall * 0.4, Math.max(1, width), tall * 0.8);
    context.globalAlpha = 1;
    return;
  }
  context.fillStyle = colourOf(theme, band);
  context.globalAlpha = band.leads ? 0.3 : 0.13;
  const half = band.leads ? tall * 0.24 : tall * 0.12;
  context.fillRect(x, y - half, Math.max(1, width), half * 2);
  context.globalAlpha = 1;
  if (band.state === 'normal' && width > 26 && tall >= 20) {
    context.font = `10px ${theme.font}`;
    context.fillStyle = theme.faint;
    context.fillText(`v${band.view}${band.leads ? ' leads' : ''}`, x + 3, y - tall * 0.34);
  }
}

function colourOf({ kinds, faint }: Theme, { state }: Band): string {
  if (state === 'normal') return kinds.commit;
  if (state === 'view_change') return kinds.view_change;
  return state === 'recovering_head' ? kinds.restart : faint;
}

function hatch(
  context: CanvasRenderingContext2D,
  colour: string,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.globalAlpha = 0.5;
  context.beginPath();
  for (let at = x - height - ((x - height) % 6); at < x + width; at += 6) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

// --- Messages ---

function paintArrows(context: CanvasRenderingContext2D, scene: Scene, first: number, end: number): void {
  const { run, theme, shown, hovered } = scene;
  const { timeline } = run.player;
  const { kinds, partners } = timeline;
  if (shown.has('message')) {
    const arrows: number[] = [];
    for (let index = first; index < end && arrows.length <= ARROWS_MAX; index++) {
      if (kinds[index] !== KIND.message) continue;
      const partner = partners[index] as number;
      if (partner === NONE) continue;
      // Each once: by its send, or by its fate when the send is out of view.
      if (partner > index || partner < first) arrows.push(index);
    }
    if (arrows.length <= ARROWS_MAX) {
      context.lineWidth = 1;
      const { position } = run.player;
      // As many lines as there are: the more, the fainter, so that a thousand are a texture.
      const faintness = Math.min(0.65, Math.max(0.08, ARROWS_CLEAR / arrows.length));
      for (const index of arrows) {
        const later = (timeline.events[Math.min(index, partners[index] as number)] as number) > position;
        context.globalAlpha = faintness * (later ? 0.4 : 1);
        paintArrow(context, scene, index, theme.kinds.message);
      }
      context.globalAlpha = 1;
    }
  }
  for (const index of [run.selected, hovered]) {
    if (index === NONE || kinds[index] !== KIND.message || partners[index] === NONE) continue;
    context.lineWidth = 2;
    paintArrow(context, scene, index, theme.accent);
  }
  context.lineWidth = 1;
}

function paintArrow(context: CanvasRenderingContext2D, scene: Scene, index: number, colour: string): void {
  const { run, viewport, theme } = scene;
  const { timeline } = run.player;
  const column = viewport.column(timeline);
  const partner = timeline.partners[index] as number;
  const send = Math.min(index, partner);
  const fate = Math.max(index, partner);
  const fromX = viewport.x(column[send] as number);
  const fromY = laneY(scene, timeline.nodes[send] as number);
  let toX = viewport.x(column[fate] as number);
  let toY = laneY(scene, timeline.nodes[fate] as number);
  const dropped = timeline.what(fate) === 'drop';
  if (dropped) {
    // Lost at once: it ends on its way, where one can see that it does.
    const gone = timeline.events[send] === timeline.events[fate];
    toY = fromY + (toY - fromY) * (gone ? 0.45 : 0.8);
    if (gone) toX += Math.min(14, Math.abs(toY - fromY) * 0.4);
    colour = colour === theme.accent ? colour : theme.kinds.crash;
  }
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.setLineDash(dropped ? [3, 3] : []);
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
  context.setLineDash([]);
  const angle = Math.atan2(toY - fromY, toX - fromX);
  if (dropped) {
    cross(context, toX, toY, 3.2);
  } else if (Math.hypot(toX - fromX, toY - fromY) > 14) {
    context.beginPath();
    context.moveTo(toX - 2 * Math.cos(angle), toY - 2 * Math.sin(angle));
    context.lineTo(toX - 9 * Math.cos(angle - 0.32), toY - 9 * Math.sin(angle - 0.32));
    context.lineTo(toX - 9 * Math.cos(angle + 0.32), toY - 9 * Math.sin(angle + 0.32));
    context.fill();
  }
}

function paintPosition(context: CanvasRenderingContext2D, scene: Scene): void {
  const { run, viewport, theme, height } = scene;
  const { player } = run;
  const value = viewport.axis === 'time' ? player.world.time.now : player.position;
  const x = Math.round(viewport.x(value)) + 0.5;
  context.strokeStyle = theme.accent;
  context.fillStyle = theme.accent;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x, AXIS_HEIGHT - 6);
  context.lineTo(x, height);
  context.stroke();
  context.beginPath();
  context.moveTo(x - 5, AXIS_HEIGHT - 12);
  context.lineTo(x + 5, AXIS_HEIGHT - 12);
  context.lineTo(x, AXIS_HEIGHT - 4);
  context.fill();
}
