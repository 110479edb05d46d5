/**
 * House rules that a type checker does not know, above all determinism: in core/, sim/, scenarios/
 * and invariants/ a run is a function of its inputs, on any machine and any supported engine. Each
 * message names file, line, the rule and what to use instead. Imports are held by layers.test.ts.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ExceptionUse, TIDY_EXCEPTIONS } from './exceptions.ts';
import {
  closing,
  formatFindings,
  isMark,
  isName,
  projectSources,
  scan,
  type Finding,
  type Token,
} from './source_scanner.ts';

const DETERMINISTIC_FOLDERS = new Set(['core', 'sim', 'scenarios', 'invariants']);
const COLUMNS_MAX = 110;

/** The rules, and what to do instead. Exceptions name a rule by its key. */
const HINTS = {
  columns: `at most ${COLUMNS_MAX}: break it`,
  barrel: 'import the module that has the name',
  nameless: 'name the noun: ring.ts, bitset.ts',
  'file name': 'snake_case.ts',
  'default export': 'export the name, so that one grep finds its users',
  time: 'use the Clock port',
  timers: 'use Clock.arm; the expiry is an input (onTimer)',
  process: 'take what is needed as an option; adapters/ and cli/ own the process',
  network: 'use the Network port',
  randomness: 'use the Rng port, forked by label',
  promises: 'completions are inputs: pass a token, handle onStorage, onMessage, onTimer',
  weak: 'what the collector does is not a function of the input; use Map, Set or an index',
  locale: 'compare and print by code unit; the result must not depend on the machine',
  threads: 'one thread, one event at a time',
  eval: 'write the code',
  'inexact math': 'integer arithmetic or a table; engines may differ in the last bit',
  '#private': "the snapshot cannot see it; use TypeScript's `private`",
  generator: 'its position cannot be snapshotted; keep an index in a field',
  'for-in': 'walk an array, or Object.keys of an object whose order of insertion is fixed',
} as const;
type Rule = keyof typeof HINTS;

/** Globals that a deterministic folder may not touch. */
const FORBIDDEN_GLOBALS: ReadonlyMap<string, Rule> = new Map([
  ...rows('time', 'Date', 'Temporal', 'performance'),
  ...rows('timers', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'),
  ...rows('timers', 'clearTimeout', 'clearInterval', 'clearImmediate'),
  ...rows('process', 'process', 'globalThis', 'global', 'require', 'console', '__dirname', '__filename'),
  ...rows('network', 'fetch', 'WebSocket', 'XMLHttpRequest'),
  ...rows('randomness', 'crypto'),
  ...rows('promises', 'Promise'),
  ...rows('weak', 'WeakMap', 'WeakSet', 'WeakRef', 'FinalizationRegistry'),
  ...rows('locale', 'Intl'),
  ...rows('threads', 'SharedArrayBuffer', 'Atomics', 'Worker'),
  ...rows('eval', 'eval', 'Function'),
]);

function rows(rule: Rule, ...names: string[]): [string, Rule][] {
  return names.map((name) => [name, rule]);
}

/** Exact by IEEE 754 or by definition; the language lets engines approximate all the others. */
const EXACT_MATH = new Set(['abs', 'ceil', 'floor', 'trunc', 'sign', 'min', 'max', 'imul', 'clz32', 'fround',
  'round', 'sqrt', 'PI', 'E']);

type Locals = readonly { readonly name: string; readonly from: number; readonly to: number }[];
type Report = (line: number, rule: Rule, text: string) => void;

function checkFile(path: string, source: string, exceptions = new ExceptionUse([])): Finding[] {
  const findings: Finding[] = [];
  const report: Report = (line, rule, text) => {
    if (exceptions.allows(path, rule)) return;
    findings.push({ file: path, line, rule: `${rule}: ${text}`, hint: HINTS[rule] });
  };
  checkNameOfFile(path, report);
  source.split('\n').forEach((text, i) => {
    if (text.length <= COLUMNS_MAX) return;
    report(i + 1, 'columns', `line of ${text.length}`);
  });
  const tokens = scan(source);
  checkDefaultExport(tokens, report);
  if (!DETERMINISTIC_FOLDERS.has(path.split('/')[0] as string)) return findings;
  const locals = localRanges(tokens);
  tokens.forEach((token, i) => {
    if (token.kind === 'private') checkPrivate(tokens, i, report);
    else if (token.kind === 'mark') checkMark(tokens, i, report);
    else if (token.kind === 'name') checkName(tokens, i, locals, report);
  });
  return findings;
}

function checkNameOfFile(path: string, report: Report): void {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name === 'index.ts') report(1, 'barrel', 'a file called index.ts');
  if (/^(utils?|helpers?|misc|common)\.ts$/.test(name)) {
    report(1, 'nameless', `a file called ${name}`);
  }
  if (!/^[a-z0-9_]+(\.test|\.d)?\.ts$/.test(name)) report(1, 'file name', name);
}

function checkDefaultExport(tokens: readonly Token[], report: Report): void {
  tokens.forEach((token, i) => {
    if (token.kind !== 'name' || token.text !== 'default' || isMark(tokens, i - 1, '.')) return;
    const asDefault = isName(tokens, i - 1, 'as') && !isMark(tokens, i + 1, ':');
    if (isName(tokens, i - 1, 'export') || asDefault) {
      report(token.line, 'default export', 'a default export');
    }
  });
}

function checkPrivate(tokens: readonly Token[], i: number, report: Report): void {
  const token = tokens[i] as Token;
  report(token.line, '#private', token.text);
}

function checkMark(tokens: readonly Token[], i: number, report: Report): void {
  const token = tokens[i] as Token;
  const literals = tokens[i - 1]?.kind === 'number' && tokens[i + 1]?.kind === 'number';
  if ((token.text === '**' && !literals) || token.text === '**=') {
    report(token.line, 'inexact math', `the operator ${token.text}`);
  }
  if (token.text === '*' && isGenerator(tokens, i)) {
    report(token.line, 'generator', 'a generator');
  }
}

/** `function*`, `function* name`, or a method `*name(`. */
function isGenerator(tokens: readonly Token[], i: number): boolean {
  if (isName(tokens, i - 1, 'function')) return true;
  const before = tokens[i - 1];
  const startsMember = before?.kind === 'mark' ? ['{', '}', ';', ','].includes(before.text)
    : before?.kind === 'name' && ['static', 'async', 'private', 'public', 'protected'].includes(before.text);
  return startsMember && (tokens[i + 1]?.kind === 'name' || isMark(tokens, i + 1, '['));
}

function checkName(tokens: readonly Token[], i: number, locals: Locals, report: Report): void {
  const token = tokens[i] as Token;
  const { text, line } = token;
  const member = isMark(tokens, i - 1, '.') || isMark(tokens, i - 1, '?.');
  if (member) {
    if (text.startsWith('toLocale') || text === 'localeCompare') {
      report(line, 'locale', `.${text}`);
    }
    return;
  }
  if (text === 'Math') return checkMath(tokens, i, report);
  if (text === 'async' && isAsync(tokens, i)) {
    report(line, 'promises', 'async');
  }
  if (isKey(tokens, i) || isMethodName(tokens, i)) return;
  if (text === 'await') {
    report(line, 'promises', 'await');
  }
  if (text === 'yield') report(line, 'generator', 'yield');
  if (text === 'import' && (isMark(tokens, i + 1, '(') || isMark(tokens, i + 1, '.'))) {
    report(line, 'promises', 'import() or import.meta');
  }
  if (text === 'for' && isForIn(tokens, i)) {
    report(line, 'for-in', 'for…in');
  }
  const forbidden = FORBIDDEN_GLOBALS.get(text);
  if (forbidden === undefined || isMark(tokens, i + 1, '=')) return; // A field; nobody assigns to a global.
  if (!locals.some((l) => l.name === text && l.from <= i && i <= l.to)) report(line, forbidden, text);
}

function checkMath(tokens: readonly Token[], i: number, report: Report): void {
  const line = (tokens[i] as Token).line;
  const name = tokens[i + 2];
  if (!isMark(tokens, i + 1, '.') || name === undefined) {
    report(line, 'inexact math', 'Math as a value');
  } else if (name.text === 'random') {
    report(line, 'randomness', 'Math.random');
  } else if (!EXACT_MATH.has(name.text)) {
    report(line, 'inexact math', `Math.${name.text}`);
  }
}

/** `async function`, `async (…) =>`, `async x =>`, `async name(…) {`. */
function isAsync(tokens: readonly Token[], i: number): boolean {
  const next = tokens[i + 1];
  if (next === undefined || next.line !== (tokens[i] as Token).line) return false;
  if (next.kind === 'name') return true;
  if (isMark(tokens, i + 1, '*')) return true;
  return isMark(tokens, i + 1, '(') && isMark(tokens, closing(tokens, i + 1) + 1, '=>');
}

/** A key of an object, a field or parameter with a type: not the global of that name. */
function isKey(tokens: readonly Token[], i: number): boolean {
  const colon = isMark(tokens, i + 1, ':') || (isMark(tokens, i + 1, '?') && isMark(tokens, i + 2, ':'));
  if (!colon) return false;
  const before = tokens[i - 1];
  if (before === undefined || before.kind === 'name') return true;
  return ['{', ',', ';', '(', '}', ')'].includes(before.text);
}

/** `name(…) {` or `name(…): type`: the declaration of a method, not a call. */
function isMethodName(tokens: readonly Token[], i: number): boolean {
  if (!isMark(tokens, i + 1, '(')) return false;
  const before = tokens[i - 1];
  if (before?.kind === 'mark' && !['{', '}', ';', ','].includes(before.text)) return false;
  const end = closing(tokens, i + 1) + 1;
  return isMark(tokens, end, '{') || isMark(tokens, end, ':');
}

/**
 * Uses of a name inside the block or function that declares it are not the global of that name:
 * `process` is also the word for a client in a history of operations.
 */
function localRanges(tokens: readonly Token[]): Locals {
  const ranges: { name: string; from: number; to: number }[] = [];
  const open: number[] = []; // Indices of the brackets around the current token.
  tokens.forEach((token, i) => {
    if (token.kind === 'mark' && ['(', '[', '{'].includes(token.text)) open.push(i);
    if (token.kind === 'mark' && [')', ']', '}'].includes(token.text)) open.pop();
    if (token.kind !== 'name' || !FORBIDDEN_GLOBALS.has(token.text)) return;
    const before = tokens[i - 1];
    const outer = open.at(-1) ?? -1;
    if (before?.kind === 'name' && ['const', 'let', 'var'].includes(before.text)) {
      const block = isMark(tokens, outer, '(') ? closing(tokens, outer) + 1 : outer; // for (const …) {
      ranges.push({ name: token.text, from: i, to: block < 0 ? tokens.length : closing(tokens, block) });
    } else if (isMark(tokens, outer, '(') && (i - 1 === outer || isMark(tokens, i - 1, ','))) {
      const end = closing(tokens, outer);
      const typed = isMark(tokens, i + 1, ':') && !isMark(tokens, outer - 1, '?');
      if (typed || isMark(tokens, end + 1, '=>')) {
        ranges.push({ name: token.text, from: outer, to: endOfBody(tokens, end) });
      }
    }
  });
  return ranges;
}

/** Index of the end of the function whose parameters close at `end`. */
function endOfBody(tokens: readonly Token[], end: number): number {
  let i = end + 1;
  while (i < tokens.length && !isMark(tokens, i, '{') && !isMark(tokens, i, ';')) {
    if (isMark(tokens, i, '=>') && !isMark(tokens, i + 1, '{')) {
      for (i++; i < tokens.length; i++) { // An expression: to its comma or to the bracket around it.
        if (['(', '[', '{'].some((text) => isMark(tokens, i, text))) i = closing(tokens, i);
        else if ([',', ';', ')', ']', '}'].some((text) => isMark(tokens, i, text))) return i;
      }
    }
    i++;
  }
  return isMark(tokens, i, '{') ? closing(tokens, i) : i;
}

function isForIn(tokens: readonly Token[], i: number): boolean {
  if (!isMark(tokens, i + 1, '(')) return false;
  const end = closing(tokens, i + 1);
  for (let j = i + 2; j < end; j++) {
    if (isMark(tokens, j, '(') || isMark(tokens, j, '[') || isMark(tokens, j, '{')) j = closing(tokens, j);
    else if (isMark(tokens, j, ';') || isName(tokens, j, 'of')) return false;
    else if (isName(tokens, j, 'in')) return true;
  }
  return false;
}

suite('tidy', () => {
  test('every source file keeps the house rules', () => {
    const exceptions = new ExceptionUse(TIDY_EXCEPTIONS);
    const findings = projectSources().flatMap((f) => checkFile(f.path, f.source, exceptions));
    assert.equal(formatFindings(findings), '');
    assert.deepEqual(exceptions.stale(), [], 'exceptions that nothing needs: remove them');
  });

  const bad: readonly [source: string, rule: string][] = [
    ['const t = Date.now();', 'time'],
    ['const t = new Date();', 'time'],
    ['const t = Temporal.Now.instant();', 'time'],
    ['const t = performance.now();', 'time'],
    ['const r = Math.random();', 'randomness'],
    ['const r = crypto.randomUUID();', 'randomness'],
    ['setTimeout(f, 1);', 'timers'],
    ['setInterval(f, 1);', 'timers'],
    ['setImmediate(f);', 'timers'],
    ['queueMicrotask(f);', 'timers'],
    ['const p = process.env.X;', 'process'],
    ['const p = { ...process };', 'process'],
    ['const p = x ? process : y;', 'process'],
    ['console.log(1);', 'process'],
    ['function f(): void { if (b) { const process = 1; } g(process.env); }', 'process'],
    ['function f(process: number): void {} g(process.env);', 'process'],
    ['g(process, 1); h(process.env);', 'process'],
    ["const f = fetch('x');", 'network'],
    ['const p = Promise.resolve(1);', 'promises'],
    ['let p: Promise<void>;', 'promises'],
    ['async function f() {}', 'promises'],
    ['const f = async () => 1;', 'promises'],
    ['class A { async f() {} }', 'promises'],
    ['const y = await x;', 'promises'],
    ["const m = import('./x.ts');", 'promises'],
    ['const y = Math.log(x);', 'inexact math'],
    ['const y = Math.exp(x);', 'inexact math'],
    ['const y = Math.pow(x, 2);', 'inexact math'],
    ['const y = Math.log2(x);', 'inexact math'],
    ['const y = Math.cbrt(x);', 'inexact math'],
    ['const y = Math.hypot(x, 1);', 'inexact math'],
    ['const { sin } = Math;', 'inexact math'],
    ['const y = x ** 2;', 'inexact math'],
    ['const y = 2 ** x;', 'inexact math'],
    ['x **= 2;', 'inexact math'],
    ['const n = new Intl.NumberFormat();', 'locale'],
    ['const s = x.toLocaleString();', 'locale'],
    ['xs.sort((a, b) => a.localeCompare(b));', 'locale'],
    ['class A { #x = 1; }', '#private'],
    ['function* f() {}', 'generator'],
    ['class A { *f() {} }', 'generator'],
    ['class A { *[Symbol.iterator]() {} }', 'generator'],
    ['const m = new WeakMap();', 'weak'],
    ['const m = new WeakSet();', 'weak'],
    ['for (const k in o) f(k);', 'for-in'],
    ['for (k in o) f(k);', 'for-in'],
    ['export default 1;', 'default export'],
    ['export { a as default };', 'default export'],
    ['const a = new SharedArrayBuffer(8);', 'threads'],
    ['const s = `${Date.now()}`;', 'time'],
    ['const s = `${`${performance.now()}`} text`;', 'time'],
    ['const r = /[/]/.test(s) ? Date.now() : 0;', 'time'],
    ['const r = a / b / Date.now();', 'time'],
    [`const x = '${'a'.repeat(COLUMNS_MAX)}';`, 'columns'],
  ];
  for (const [source, rule] of bad) {
    test(`finds ${rule}: ${source.slice(0, 60)}`, () => {
      const findings = checkFile('core/planted.ts', `// A file.\n${source}\n`);
      assert.ok(findings.length > 0, 'not found');
      for (const f of findings) {
        assert.equal(f.rule.split(': ')[0], rule);
        assert.match(formatFindings([f]), /^core\/planted\.ts:2: .+; .+/);
      }
    });
  }

  const good: readonly string[] = [
    '// Date.now() and Math.random() are forbidden; so is `await`.',
    '/* setTimeout(f)\n * process.exit() */',
    "const s = 'Date.now() process'; const d = \"Math.random()\"; const t = `await fetch(${s}) Promise`;",
    'const r = /Date.now|process/.test(s);',
    'const y = x / 2; const z = y / 3; // Date',
    'this.clock.process(); world.performance; a?.fetch(1);',
    'interface A { process: number; fetch(x: number): void; performance?: string }',
    'class A { private fetch(x: number): void { this.fetch(x); } }',
    'const a = { process: 1, fetch(x: number) { return x; } };',
    'class A { process = new Int32Array(8); f(): void { this.process[0] = 1; } }',
    'function f(): void { const process = a[0]; g(process); if (b) g(process + 1); }',
    'function f(process: number, b: number): void { g(process); }',
    'xs.forEach((process) => g(process));',
    'xs.map((process, i) => { if (i) g(process); });',
    'const y = Math.floor(x) + Math.imul(a, b) + Math.max(a, b) + Math.sqrt(x);',
    'const limit = 2 ** 53 - 1;',
    'const y = a * b; const p = { ...a, [b]: a * c };',
    'for (const x of xs) f(x);',
    "for (let i = 0; i < n; i++) if ('a' in o) f(i);",
    'for (const [a, b] of pairs) f(a, b);',
    'class A { private x = 1; }',
    "switch (x) { case 1: break; default: f(); }",
    'function process2(async: boolean, awaiting: number): void {}',
    'const s = `${a}}` + `{${b}`; const o = { a: `${ { b: 1 }.b }` };',
  ];
  for (const source of good) {
    test(`passes: ${source.slice(0, 70)}`, () => {
      assert.equal(formatFindings(checkFile('core/planted.ts', source)), '');
    });
  }

  test('determinism rules hold in four folders; other rules everywhere', () => {
    const clock = 'const t = Date.now();';
    for (const folder of ['core/vsr', 'sim', 'scenarios', 'invariants']) {
      assert.equal(checkFile(`${folder}/x.ts`, clock).length, 1, folder);
    }
    for (const folder of ['adapters', 'cli', 'test', 'bench']) {
      assert.equal(checkFile(`${folder}/x.ts`, clock).length, 0, folder);
    }
    assert.equal(checkFile('cli/index.ts', '').length, 1);
    assert.equal(checkFile('adapters/utils.ts', '').length, 1);
    assert.equal(checkFile('sim/helpers.ts', '').length, 1);
    assert.equal(checkFile('sim/EventQueue.ts', '').length, 1);
  });

  test('an exception excuses one file from one rule, and is missed when unused', () => {
    const use = new ExceptionUse([{ file: 'sim/a.ts', what: ['process', 'time'], reason: 'test' }]);
    assert.equal(checkFile('sim/a.ts', 'process.exit();', use).length, 0);
    assert.equal(checkFile('sim/b.ts', 'process.exit();', use).length, 1);
    assert.equal(checkFile('sim/a.ts', 'const p = Promise;', use).length, 1);
    assert.deepEqual(use.stale(), ['sim/a.ts: time']);
  });
});
