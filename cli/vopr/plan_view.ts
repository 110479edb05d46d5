/** A plan as text: what was going to happen in a run, before it ran. Pure. */
import { NODE, type FaultEvent } from '../../sim/faults/schedule.ts';
import { type Plan } from '../../sim/plan.ts';
import { nodeName } from './timeline_view.ts';

const SYMBOLIC = new Map<number, string>([
  [NODE.primary, 'primary'],
  [NODE.nextPrimary, 'next primary'],
  [NODE.backup, 'a backup'],
]);
const PINS_SHOWN_MAX = 20;
/** Fields in microseconds whose names do not say so. */
const DURATIONS = ['lasts', 'down', 'by'];

export function planText(plan: Plan): string {
  const sections: (readonly [title: string, fields: object])[] = [
    ['run', {
      scenario: plan.scenario,
      seed: plan.seed,
      ...(plan.system === undefined ? {} : { system: plan.system }),
      ...(plan.settings === undefined ? {} : { settings: plan.settings }),
      replicas: plan.replicaCount,
      faultMicros: plan.faultMicros,
      healMicros: plan.healMicros,
      repliesMin: plan.repliesMin,
      eventsMax: plan.eventsMax,
      faultClasses: plan.enabled,
    }],
    ['cluster', plan.config],
    ['network', plan.network],
    ['storage', plan.storage],
    ['workload', plan.workload],
  ];
  const parts = sections.map(([title, fields]) => `${title}\n${fieldsText(fields)}`);
  parts.push(listText('clocks', plan.clocks, (clock, node) =>
    `${nodeName(node, plan.replicaCount).padEnd(4)} offset ${seconds(clock.offsetMicros)}, ` +
    `drift ${clock.driftPpm} ppm`));
  parts.push(listText('faults', plan.faults, (fault) => faultText(fault, plan.replicaCount)));
  parts.push(listText('decisions overruled', plan.decisions.slice(0, PINS_SHOWN_MAX), (pin) =>
    `${pin.domain} ${pin.key.toString(16).padStart(8, '0')} = ${pin.value}`, plan.decisions.length));
  parts.push(listText('gates', plan.gates, ({ counter, min, max, sharePpm }) => {
    const bounds = [min === undefined ? '' : ` >= ${min}`, max === undefined ? '' : ` <= ${max}`];
    const share = sharePpm === undefined ? '' : ` in ${sharePpm / 10_000} % of the seeds`;
    return `${counter}${bounds.join('')}${share}`;
  }));
  parts.push(listText('checkers required', plan.invariants, (id) => id));
  return parts.join('');
}

/** `3.201442 s  crash  primary, down 1.200000 s, during write`. */
export function faultText(fault: FaultEvent, replicaCount: number): string {
  const words = faultWords(fault, replicaCount);
  return `${seconds(fault.at).padStart(13)}  ${fault.kind.padEnd(13)}  ${words}`;
}

/** The same without time and kind. */
export function faultWords(fault: FaultEvent, replicaCount: number): string {
  const words: string[] = [];
  if ('node' in fault) words.push(nodeText(fault.node, replicaCount));
  if ('peer' in fault) words.push(`peer ${nodeText(fault.peer, replicaCount)}`);
  for (const [name, value] of Object.entries(fault) as [string, unknown][]) {
    if (['kind', 'at', 'node', 'peer'].includes(name) || value === false) continue;
    if (name === 'links') words.push(linksText(value as readonly number[], replicaCount));
    else if (value === true) words.push(name);
    else if (DURATIONS.includes(name)) words.push(`${name} ${durations(value as number | number[])}`);
    else words.push(`${name} ${String(value)}`);
  }
  return words.join(', ');
}

function linksText(links: readonly number[], replicaCount: number): string {
  const words: string[] = [];
  for (let i = 0; i < links.length; i += 2) {
    const [from, to] = [links[i] as number, links[i + 1] as number];
    words.push(`${nodeName(from, replicaCount)}>${nodeName(to, replicaCount)}`);
  }
  return words.join(' ');
}

function nodeText(node: number, replicaCount: number): string {
  return SYMBOLIC.get(node) ?? nodeName(node, replicaCount);
}

function durations(value: number | readonly number[]): string {
  return typeof value === 'number' ? seconds(value) : value.map(seconds).join(' ');
}

function seconds(micros: number): string {
  return `${(micros / 1e6).toFixed(6)} s`;
}

function fieldsText(fields: object): string {
  const rows = Object.entries(fields) as [string, unknown][];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${fieldText(value)}\n`).join('');
}

function fieldText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(' ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function listText<T>(
  title: string,
  list: readonly T[],
  textOf: (item: T, index: number) => string,
  count = list.length,
): string {
  const more = count > list.length ? `  and ${count - list.length} more\n` : '';
  const none = count === 0 ? '  none\n' : '';
  return `${title}\n${list.map((item, i) => `  ${textOf(item, i)}\n`).join('')}${more}${none}`;
}
