/**
 * A failing plan as a regression test: a file of TypeScript that stands by itself. It says the plan
 * in the words of sim/testing/plan_of.ts, single decisions in those of bundles/decision_text.ts.
 */
import { type PlanOptions } from '../../sim/testing/plan_of.ts';
import { grouped } from '../numbers.ts';
import { literal, quoted, Verbatim } from './literal.ts';
import { type Size } from './minimize.ts';

export interface TestFacts {
  readonly scenario: string;
  readonly seed: string;
  readonly canary: string | null;
  readonly invariant: string;
  readonly message: string;
  readonly before: Size;
  readonly after: Size;
  readonly options: PlanOptions;
  /** What the test imports `planOf` and `simTest` from. */
  readonly from: string;
  /** What it imports one's own system from; null: Kimberlite. */
  readonly system: string | null;
}

const COLUMNS = 96;

export function testText(facts: TestFacts): string {
  const { scenario, seed, canary, invariant, message, before, after } = facts;
  const planted = canary === null ? '' : `, canary ${canary}`;
  const story = [
    `${oneLine(message)}`,
    '',
    `Minimised from ${scenario}, seed ${seed}${planted}: ${grouped(before.events)} events and ` +
      `${grouped(before.decisions.total)} decisions became ${grouped(after.events)} and ` +
      `${grouped(after.decisions.total)}.`,
  ];
  if (canary !== null) {
    story.push(`It fails on the bug: VOPR_CANARY=${canary} node --test THIS_FILE.`);
  }
  const name = `${invariant} holds: ${scenario}, seed ${seed}${planted}, minimised`;
  const { scenario: _, system: _name, ...options } = facts.options;
  const own = facts.system;
  const system = own === null ? {} : { system: new Verbatim('system') };
  const plan = literal({ ...system, scenario, ...ordered(options) }, 4);
  return (
    `/**\n${story.flatMap((text) => wrap(text)).map((line) => ` * ${line}`.trimEnd()).join('\n')}\n */\n` +
    "import { test } from 'node:test';\n" +
    `import { planOf, simTest } from ${quoted(facts.from)};\n` +
    (own === null ? '\n' : `import { system } from ${quoted(own)};\n\n`) +
    `test(\n  ${quoted(name)},\n  simTest({\n${own === null ? '' : '    system,\n'}` +
    `    plan: planOf(${plan}),\n  }),\n);\n`
  );
}

/** Words of the checker in a comment: they end no comment, and break no line. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('*/', '* /');
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 4 > COLUMNS) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** What comes first in a fault, for reading: what, when, on whom. */
const FAULT_FIELDS = ['kind', 'at', 'node', 'peer', 'links', 'direction', 'duringWrite', 'down', 'lasts'];

function ordered(options: PlanOptions): PlanOptions {
  if (options.faults === undefined) return options;
  const rank = (name: string): number => {
    const place = FAULT_FIELDS.indexOf(name);
    return place < 0 ? FAULT_FIELDS.length : place;
  };
  const faults = options.faults.map((fault) => {
    const fields = Object.entries(fault).sort(([a], [b]) => rank(a) - rank(b));
    return Object.fromEntries(fields) as unknown as typeof fault;
  });
  return { ...options, faults };
}
