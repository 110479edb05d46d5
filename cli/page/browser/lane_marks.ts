/** A mark for each entry: a shape for the kind, so that colour is not all there is to tell them by. */
import { type EntryKind } from '../../../sim/recorder.ts';
import { KIND, NONE } from '../timeline.ts';
import { AXIS_HEIGHT, laneHeight, laneY, type Scene } from './scene.ts';

/** Marks that the pointer can find. */
const TARGETS_MAX = 8000;

export interface Target {
  readonly index: number;
  readonly x: number;
  readonly y: number;
}

/** The more severe is drawn later, over the others. */
const ORDER: readonly EntryKind[] = [
  'check', 'storage', 'message', 'client', 'heal', 'partition', 'commit', 'view_change', 'restart', 'crash',
  'violation',
];

export function paintMarks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  column: Float64Array,
  first: number,
  end: number,
): Target[] {
  const { run, viewport, theme, shown } = scene;
  const { timeline } = run.player;
  const lanes = run.nodeCount + 1;
  const targets: Target[] = [];
  const pixels = Math.ceil(viewport.width) + 2;
  const drawn = new Uint8Array(pixels * lanes);
  for (const kind of ORDER) {
    if (!shown.has(kind)) continue;
    const number = KIND[kind];
    drawn.fill(0);
    context.strokeStyle = theme.kinds[kind];
    context.fillStyle = theme.kinds[kind];
    context.lineWidth = 1.5;
    let later = false;
    context.globalAlpha = 1;
    for (let index = first; index < end; index++) {
      if (timeline.kinds[index] !== number) continue;
      const node = timeline.nodes[index] as number;
      const x = viewport.x(column[index] as number);
      const pixel = Math.round(x - viewport.left);
      if (pixel < 0 || pixel >= pixels) continue;
      // Two of a kind on one spot of a lane look like one.
      const cell = (node + 1) * pixels + pixel;
      if (drawn[cell] === 1 && index !== run.selected) continue;
      drawn[cell] = 1;
      if (!later && (timeline.events[index] as number) > run.player.position) {
        later = true;
        context.globalAlpha = 0.38;
      }
      const y = laneY(scene, node);
      const tall = Math.min(laneHeight(scene, node), 40);
      paintMark(context, scene, kind, index, x, y, tall);
      if (targets.length < TARGETS_MAX) targets.push({ index, x, y: y + offsetOf(kind, tall) });
    }
  }
  context.globalAlpha = 1;
  for (const index of [scene.hovered, run.selected]) {
    if (index === NONE) continue;
    const x = viewport.x(column[index] as number);
    const kind = timeline.kind(index);
    const node = timeline.nodes[index] as number;
    const y = laneY(scene, node) + offsetOf(kind, Math.min(laneHeight(scene, node), 40));
    context.strokeStyle = theme.accent;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, 7, 0, Math.PI * 2);
    context.stroke();
  }
  return targets;
}

/** Disk below the line, checks above: they would hide the rest. */
function offsetOf(kind: EntryKind, tall: number): number {
  if (kind === 'storage') return tall * 0.28;
  return kind === 'check' ? -tall * 0.28 : 0;
}

function paintMark(
  context: CanvasRenderingContext2D,
  scene: Scene,
  kind: EntryKind,
  index: number,
  x: number,
  y: number,
  tall: number,
): void {
  const { timeline } = scene.run.player;
  const what = timeline.what(index);
  switch (kind) {
    case 'client':
      if (what === 'request') ring(context, x, y, 3.2);
      else if (what === 'success') disc(context, x, y, 3.2);
      else cross(context, x, y, 3.2);
      return;
    case 'storage': {
      const at = y + tall * 0.28;
      if (isDamage(what)) {
        cross(context, x, at, 2.6);
      } else if (what.endsWith('_start')) {
        context.fillRect(x - 0.5, at - 2.5, 1, 5);
      } else {
        context.fillRect(x - 1.75, at - 1.75, 3.5, 3.5);
      }
      return;
    }
    case 'message':
      if (what === 'drop' || what === 'ignore') cross(context, x, y, 2);
      else if (what === 'send' || what === 'duplicate') ring(context, x, y, 1.6);
      else disc(context, x, y, 1.6);
      return;
    case 'view_change':
      diamond(context, x, y, what === 'timeout' ? 3.5 : 5);
      return;
    case 'commit':
      if (what === 'commit') disc(context, x, y, 3);
      else context.fillRect(x - 3.5, y - 3.5, 7, 7);
      return;
    case 'crash':
      context.lineWidth = 2.5;
      cross(context, x, y, what === 'pause' || what === 'clock_jump' ? 3 : 5);
      context.lineWidth = 1.5;
      return;
    case 'restart':
      triangle(context, x, y, 5);
      return;
    case 'partition':
    case 'heal':
      context.fillRect(x - 1, y - tall * 0.38, 2, tall * 0.76);
      return;
    case 'check':
      if (what === 'failed') cross(context, x, y - tall * 0.28, 4);
      else context.fillRect(x - 0.5, y - tall * 0.28 - 2, 1, 4);
      return;
    case 'violation':
      paintViolation(context, scene, x);
  }
}

/** Of the disk's details those that are faults. */
function isDamage(what: string): boolean {
  return /_failed$|_write$/.test(what) || what === 'bit_rot' || what === 'latent_sector';
}

function paintViolation(context: CanvasRenderingContext2D, { height, theme }: Scene, x: number): void {
  context.fillRect(x - 1, AXIS_HEIGHT, 2, height - AXIS_HEIGHT);
  context.beginPath();
  context.rect(x - 20, 2, 14, AXIS_HEIGHT - 5);
  context.fill();
  const colour = context.fillStyle;
  context.fillStyle = theme.ground;
  context.font = `700 12px ${theme.font}`;
  context.fillText('!', x - 16.5, AXIS_HEIGHT / 2 + 0.5);
  context.fillStyle = colour;
}

// --- Shapes ---

function disc(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, Math.PI * 2);
  context.fill();
}

function ring(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, Math.PI * 2);
  context.stroke();
}

export function cross(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.moveTo(x - radius, y - radius);
  context.lineTo(x + radius, y + radius);
  context.moveTo(x - radius, y + radius);
  context.lineTo(x + radius, y - radius);
  context.stroke();
}

function diamond(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.moveTo(x, y - radius);
  context.lineTo(x + radius, y);
  context.lineTo(x, y + radius);
  context.lineTo(x - radius, y);
  context.fill();
}

function triangle(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.moveTo(x, y - radius);
  context.lineTo(x + radius, y + radius * 0.8);
  context.lineTo(x - radius, y + radius * 0.8);
  context.fill();
}
