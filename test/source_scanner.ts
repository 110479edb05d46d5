/**
 * A small scanner of TypeScript source for the tests that hold the house rules (layers, tidy).
 *
 * It knows comments, strings, templates (also nested) and regular expressions, so a rule sees code
 * and never prose. It builds no tree: rules read a flat list of tokens with their lines. The one
 * ambiguity of the grammar it must settle, `/` as division or as the start of a regular
 * expression, is settled by the token before, which is right for all code a formatter lets pass.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PROJECT_ROOT = fileURLToPath(new URL('..', import.meta.url));

export type TokenKind = 'name' | 'private' | 'number' | 'string' | 'template' | 'regexp' | 'mark';

export interface Token {
  readonly kind: TokenKind;
  /** As written; a string without its quotes; a template chunk without its delimiters. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

export interface Finding {
  /** Relative to the project root, with forward slashes. */
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  /** What to do instead. */
  readonly hint: string;
}

export function formatFindings(findings: readonly Finding[]): string {
  return findings.map((f) => `${f.file}:${f.line}: ${f.rule}; ${f.hint}`).join('\n');
}

/** Punctuation of more than one character that rules tell apart; all other marks are single. */
const LONG_MARKS = ['>>>=', '...', '**=', '>>>', '<<=', '>>=', '&&=', '||=', '??=', '===', '!==', '=>',
  '**', '?.', '??', '&&', '||', '==', '!=', '<=', '>=', '++', '--', '+=', '-=', '*=', '/=', '%=',
  '&=', '|=', '^=', '<<', '>>'];

const NUMBER =
  /^(0[xXbBoO][\da-fA-F_]+n?|\d[\d_]*(\.[\d_]*)?([eE][+-]?\d+)?n?|\.\d[\d_]*([eE][+-]?\d+)?)/;

/** After these words a `/` begins a regular expression; after any other name it divides. */
const WORDS_BEFORE_REGEXP = new Set(['return', 'typeof', 'case', 'in', 'of', 'delete', 'void', 'throw',
  'new', 'else', 'do', 'instanceof', 'yield', 'await']);

export function scan(source: string): Token[] {
  const tokens: Token[] = [];
  /** One entry an open template: how many `{` are open inside its current `${`. */
  const templates: number[] = [];
  let line = 1;
  let i = source.startsWith('#!') ? endOfLine(source, 0) : 0;

  const add = (kind: TokenKind, text: string, at: number): void => {
    tokens.push({ kind, text, line: at });
  };
  /** Reads template text from `i` up to a closing backtick or a `${`. */
  const templateChunk = (): void => {
    const startLine = line;
    const start = i;
    while (i < source.length && source[i] !== '`' && !source.startsWith('${', i)) {
      if (source[i] === '\\') i++;
      if (source[i] === '\n') line++;
      i++;
    }
    add('template', source.slice(start, i), startLine);
    if (source[i] === '`') {
      i++;
    } else {
      i += 2;
      templates.push(0);
    }
  };

  while (i < source.length) {
    const c = source[i] as string;
    if (c === '\n') {
      line++;
      i++;
    } else if (c === ' ' || c === '\t' || c === '\r') {
      i++;
    } else if (source.startsWith('//', i)) {
      i = endOfLine(source, i);
    } else if (source.startsWith('/*', i)) {
      const end = source.indexOf('*/', i + 2);
      const next = end < 0 ? source.length : end + 2;
      for (; i < next; i++) if (source[i] === '\n') line++;
    } else if (c === "'" || c === '"') {
      const start = ++i;
      const startLine = line;
      while (i < source.length && source[i] !== c) {
        if (source[i] === '\\') i++;
        if (source[i] === '\n') line++;
        i++;
      }
      add('string', source.slice(start, i), startLine);
      i++;
    } else if (c === '`') {
      i++;
      templateChunk();
    } else if (/[\p{ID_Start}$_#]/u.test(c)) {
      const match = /^#?[\p{ID_Continue}$]+/u.exec(source.slice(i, i + 200)) as RegExpExecArray | null;
      const text = match === null ? c : match[0];
      add(text.startsWith('#') ? 'private' : 'name', text, line);
      i += text.length;
    } else if (/[0-9]/.test(c) || (c === '.' && /[0-9]/.test(source[i + 1] ?? ''))) {
      const match = NUMBER.exec(source.slice(i, i + 100));
      const text = match === null ? c : match[0];
      add('number', text, line);
      i += text.length;
    } else if (c === '/' && regexpMayStart(tokens)) {
      const start = i++;
      let inClass = false;
      while (i < source.length && source[i] !== '\n' && (inClass || source[i] !== '/')) {
        if (source[i] === '\\') i++;
        else if (source[i] === '[') inClass = true;
        else if (source[i] === ']') inClass = false;
        i++;
      }
      i++;
      while (/[a-z]/.test(source[i] ?? '')) i++;
      add('regexp', source.slice(start, i), line);
    } else {
      const long = LONG_MARKS.find((mark) => source.startsWith(mark, i));
      const text = long ?? c;
      const depth = templates.length - 1;
      if (text === '}' && depth >= 0 && templates[depth] === 0) {
        templates.pop();
        i++;
        templateChunk();
        continue;
      }
      if (depth >= 0 && text === '{') templates[depth] = (templates[depth] as number) + 1;
      if (depth >= 0 && text === '}') templates[depth] = (templates[depth] as number) - 1;
      add('mark', text, line);
      i += text.length;
    }
  }
  return tokens;
}

function endOfLine(source: string, from: number): number {
  const end = source.indexOf('\n', from);
  return end < 0 ? source.length : end;
}

function regexpMayStart(tokens: readonly Token[]): boolean {
  const last = tokens.at(-1);
  if (last === undefined) return true;
  if (last.kind === 'name') return WORDS_BEFORE_REGEXP.has(last.text);
  if (last.kind === 'mark') return last.text !== ')' && last.text !== ']' && last.text !== '}';
  return false;
}

/** True when the token at `index` is a mark with this text. */
export function isMark(tokens: readonly Token[], index: number, text: string): boolean {
  const token = tokens[index];
  return token !== undefined && token.kind === 'mark' && token.text === text;
}

export function isName(tokens: readonly Token[], index: number, text: string): boolean {
  const token = tokens[index];
  return token !== undefined && token.kind === 'name' && token.text === text;
}

/** Index of the mark that closes the bracket at `index`, or the number of tokens. */
export function closing(tokens: readonly Token[], index: number): number {
  let depth = 0;
  for (let i = index; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (token.kind !== 'mark') continue;
    if (token.text === '(' || token.text === '[' || token.text === '{') depth++;
    if (token.text === ')' || token.text === ']' || token.text === '}') {
      depth--;
      if (depth === 0) return i;
    }
  }
  return tokens.length;
}

export interface ImportedName {
  /** As exported by the module; `default` and `*` for those forms. */
  readonly name: string;
  readonly typeOnly: boolean;
}

export interface ImportFound {
  readonly line: number;
  readonly specifier: string;
  /** Nothing of it is left after type stripping: `import type`, or every name is a `type`. */
  readonly typeOnly: boolean;
  /** Empty for `import 'x'` and for `import('x')`. */
  readonly names: readonly ImportedName[];
  readonly form: 'import' | 'export' | 'dynamic';
}

/** Every import and re-export of a module, in order. */
export function importsOf(tokens: readonly Token[]): ImportFound[] {
  const found: ImportFound[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (token.kind !== 'name' || isMark(tokens, i - 1, '.') || isMark(tokens, i - 1, '?.')) continue;
    if (token.text === 'import' && isMark(tokens, i + 1, '(')) {
      const argument = tokens[i + 2];
      const literal = argument?.kind === 'string' || argument?.kind === 'template';
      found.push({
        line: token.line,
        specifier: literal ? argument.text : '(computed)',
        typeOnly: false,
        names: [],
        form: 'dynamic',
      });
      continue;
    }
    if (token.text !== 'import' && token.text !== 'export') continue;
    if (isMark(tokens, i + 1, '.') || isMark(tokens, i + 1, ':')) continue; // import.meta; a key
    const parsed = parseFrom(tokens, i + 1);
    if (parsed === null) continue;
    found.push({
      line: token.line,
      specifier: parsed.specifier,
      typeOnly: parsed.typeOnly || (parsed.names.length > 0 && parsed.names.every((n) => n.typeOnly)),
      names: parsed.names,
      form: token.text,
    });
  }
  return found;
}

/** Reads `[type] [default][, ] [{…} | * as x] from '…'` or a bare `'…'`; null when it is neither. */
function parseFrom(
  tokens: readonly Token[],
  start: number,
): { specifier: string; typeOnly: boolean; names: ImportedName[] } | null {
  let i = start;
  const names: ImportedName[] = [];
  if (tokens[i]?.kind === 'string') return { specifier: (tokens[i] as Token).text, typeOnly: false, names };
  let typeOnly = false;
  if (isName(tokens, i, 'type') && !isName(tokens, i + 1, 'from') && !isMark(tokens, i + 1, ',')) {
    typeOnly = true;
    i++;
  }
  for (;;) {
    const token = tokens[i];
    if (token === undefined) return null;
    if (isMark(tokens, i, '{')) {
      const end = closing(tokens, i);
      for (let j = i + 1; j < end; j++) {
        let inline = false;
        if (isName(tokens, j, 'type') && tokens[j + 1]?.kind === 'name' && !isName(tokens, j + 1, 'as')) {
          inline = true;
          j++;
        }
        const name = tokens[j] as Token;
        if (name.kind !== 'name' && name.kind !== 'string') return null;
        names.push({ name: name.text, typeOnly: inline || typeOnly });
        while (j < end && !isMark(tokens, j, ',')) j++;
      }
      i = end + 1;
    } else if (isMark(tokens, i, '*')) {
      names.push({ name: '*', typeOnly });
      i += isName(tokens, i + 1, 'as') ? 3 : 1;
    } else if (isMark(tokens, i, ',')) {
      i++;
    } else if (isName(tokens, i, 'from') && tokens[i + 1]?.kind === 'string') {
      return { specifier: (tokens[i + 1] as Token).text, typeOnly, names };
    } else if (token.kind === 'name' && i === start + (typeOnly ? 1 : 0)) {
      names.push({ name: 'default', typeOnly }); // `import x from`; `export const` fails just below.
      i++;
    } else {
      return null;
    }
  }
}

export interface SourceFile {
  /** Relative to the project root, with forward slashes. */
  readonly path: string;
  readonly source: string;
}

/** Every `.ts` file of the project, in order of path. */
export function projectSources(): SourceFile[] {
  const files: SourceFile[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(PROJECT_ROOT, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name.startsWith('.')) continue;
        walk(path);
      } else if (entry.name.endsWith('.ts')) {
        files.push({ path, source: readFileSync(join(PROJECT_ROOT, path), 'utf8') });
      }
    }
  };
  walk('');
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}
