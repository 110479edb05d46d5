/**
 * The disks as they truly are: a square a sector, zone after zone; what was written, what is not
 * yet durable, what is being written, and where a fault lies.
 */
import { OVERLAY_WORDS, CRASHED_WORDS } from '../../../sim/ports/sim_storage.ts';
import { PLAIN_WORDS } from '../../../sim/words.ts';
import { SECTOR, diskFace, diskZones, type DiskFace, type DiskZone } from '../disk_face.ts';
import { type App } from './app.ts';
import { element } from './dom.ts';
import { type Run } from './run.ts';
import { type Theme } from './theme.ts';

const CELL = 7;
const GAP = 1;
const ZONE_GAP = 15;
/** A zone of more sectors shows several of them in one square, the worst of them. */
const CELLS_MAX = 2048;

const STATE_WORDS: Readonly<Record<number, string>> = {
  [SECTOR.empty]: 'never written',
  [SECTOR.written]: 'durable',
  [SECTOR.reading]: 'being read',
  [SECTOR.undurable]: 'not yet durable',
  [SECTOR.writing]: 'being written',
  [SECTOR.lost]: 'lost in a crash',
  [SECTOR.faulty]: 'faulty',
};

export class DiskView {
  readonly root: HTMLElement;
  private readonly app: App;
  private readonly chooser: HTMLElement;
  private readonly canvas: HTMLCanvasElement;
  private readonly words: HTMLElement;
  private node = 0;
  private zones: readonly DiskZone[] = [];
  private zonesOf: Run | null = null;
  private columns = 1;
  private face: DiskFace | null = null;

  constructor(app: App, theme: () => Theme) {
    this.app = app;
    this.chooser = element('div', { class: 'chooser', role: 'group', label: 'Replica' });
    this.canvas = element('canvas', { role: 'img', label: 'Sectors of the disk' });
    this.words = element('p', { class: 'sector-words', role: 'status' });
    const key = element('p', { class: 'key' });
    for (const state of [1, 3, 4, 2, 5, 6]) {
      key.append(element('span', { class: 'sample' },
        element('i', { class: `sector s${state}` }), STATE_WORDS[state] as string));
    }
    this.root = element('div', { class: 'disk' }, this.chooser, key, this.canvas, this.words);
    this.theme = theme;
    this.canvas.addEventListener('pointermove', (event) => this.point(event.offsetX, event.offsetY));
    this.canvas.addEventListener('pointerleave', () => {
      this.words.textContent = '';
    });
  }

  private readonly theme: () => Theme;

  update(): void {
    const { run } = this.app;
    if (this.node >= run.replicaCount) this.node = 0;
    this.chooser.replaceChildren(
      ...run.player.world.disks.map((_, node) =>
        element(
          'button',
          {
            type: 'button',
            more: { 'aria-pressed': String(node === this.node) },
            onclick: () => {
              this.node = node;
              this.update();
            },
          },
          `R${node}`,
        )),
    );
    this.paint(run);
  }

  private place(run: Run, sector: number): string {
    const { world } = run.player;
    return (world.arena.system.words ?? PLAIN_WORDS).place(world.config, sector);
  }

  private paint(run: Run): void {
    const disk = run.player.world.disks[this.node];
    if (disk === undefined) return;
    if (this.zonesOf !== run) {
      this.zonesOf = run;
      this.zones = diskZones(disk.memory.sectorCount, (sector) => this.place(run, sector));
    }
    const face = diskFace(disk);
    this.face = face;
    const before = run.base === null || run.base.event === run.player.position
      ? null : (run.base.disks[this.node] ?? null);
    const width = Math.max(80, this.root.clientWidth - 4);
    this.columns = Math.max(8, Math.floor(width / (CELL + GAP)));
    let height = 0;
    for (const zone of this.zones) height += ZONE_GAP + rowsOf(zone, this.columns) * (CELL + GAP) + 4;
    const ratio = Math.max(1, window.devicePixelRatio);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext('2d');
    if (context === null) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const theme = this.theme();
    const style = getComputedStyle(this.canvas);
    const colours = [0, 1, 2, 3, 4, 5, 6].map((state) => style.getPropertyValue(`--s${state}`).trim());
    let top = 0;
    for (const zone of this.zones) {
      context.fillStyle = theme.faint;
      context.font = `11px ${theme.font}`;
      context.textBaseline = 'alphabetic';
      context.fillText(`${zone.name} (${zone.end - zone.first} sectors)`, 0, top + 11);
      top += ZONE_GAP;
      const each = sectorsACell(zone);
      for (let cell = 0, sector = zone.first; sector < zone.end; cell++, sector += each) {
        const x = (cell % this.columns) * (CELL + GAP);
        const y = top + Math.floor(cell / this.columns) * (CELL + GAP);
        const end = Math.min(zone.end, sector + each);
        let state = 0;
        let changed = false;
        for (let s = sector; s < end; s++) {
          state = Math.max(state, face.states[s] as number);
          changed ||= before !== null &&
            (before.states[s] !== face.states[s] || before.writes[s] !== face.writes[s]);
        }
        context.fillStyle = colours[state] as string;
        context.fillRect(x, y, CELL, CELL);
        if (!changed) continue;
        context.strokeStyle = theme.accent;
        context.lineWidth = 1.5;
        context.strokeRect(x + 0.5, y + 0.5, CELL - 1, CELL - 1);
      }
      top += rowsOf(zone, this.columns) * (CELL + GAP) + 4;
    }
  }

  /** Tells what the square under the pointer is. */
  private point(x: number, y: number): void {
    const { run } = this.app;
    let top = 0;
    for (const zone of this.zones) {
      top += ZONE_GAP;
      const tall = rowsOf(zone, this.columns) * (CELL + GAP);
      if (y >= top && y < top + tall) {
        const column = Math.min(this.columns - 1, Math.floor(x / (CELL + GAP)));
        const cell = Math.floor((y - top) / (CELL + GAP)) * this.columns + column;
        const sector = zone.first + cell * sectorsACell(zone);
        this.words.textContent = sector < zone.end ? this.sectorWords(run, sector) : '';
        return;
      }
      top += tall + 4;
    }
    this.words.textContent = '';
  }

  private sectorWords(run: Run, sector: number): string {
    const disk = run.player.world.disks[this.node];
    if (disk === undefined || this.face === null) return '';
    const { memory } = disk;
    const state = this.face.states[sector] as number;
    const what = state === SECTOR.faulty ? OVERLAY_WORDS[memory.overlay[sector] as number]
      : state === SECTOR.lost ? `${CRASHED_WORDS[memory.crashed[sector] as number]} in a crash`
        : STATE_WORDS[state];
    const times = memory.writeCount[sector];
    return `${this.place(run, sector)}, sector ${sector}: ${what}; written ${times} times`;
  }
}

function sectorsACell({ first, end }: DiskZone): number {
  return Math.ceil((end - first) / CELLS_MAX);
}

function rowsOf(zone: DiskZone, columns: number): number {
  return Math.ceil(Math.ceil((zone.end - zone.first) / sectorsACell(zone)) / columns);
}
