/**
 * The part of YAML that our own files are written in: block maps and lists, literal text (`|`), plain
 * and quoted scalars, lists in brackets. Anything else is refused, so that a file stays in that part.
 */
export type Yaml = string | number | boolean | null | readonly Yaml[] | { readonly [key: string]: Yaml };

interface Line {
  readonly number: number;
  readonly indent: number;
  /** Without indent and comment. */
  readonly text: string;
}

/** The documents of a file. Throws with the number of the line that is not understood. */
export function parseYaml(source: string): Yaml[] {
  const documents: string[][] = [[]];
  for (const line of source.split('\n')) {
    if (line === '---') documents.push([]);
    else documents.at(-1)?.push(line);
  }
  return documents.map((lines) => new Reader(lines).document());
}

class Reader {
  readonly #raw: readonly string[];
  #at = 0;

  constructor(raw: readonly string[]) {
    this.#raw = raw;
  }

  document(): Yaml {
    const first = this.#peek();
    const value = first === null ? null : this.#block(first.indent);
    const rest = this.#peek();
    if (rest !== null) throw refused(rest, 'it is not indented as what is before it');
    return value;
  }

  /** The next line with something on it; it stays the next. */
  #peek(): Line | null {
    for (; this.#at < this.#raw.length; this.#at++) {
      const raw = this.#raw[this.#at] as string;
      const text = withoutComment(raw.trimStart());
      if (text === '') continue;
      if (raw.includes('\t')) throw refused({ number: this.#at + 1, indent: 0, text }, 'it has a tab');
      return { number: this.#at + 1, indent: raw.length - raw.trimStart().length, text };
    }
    return null;
  }

  #block(indent: number): Yaml {
    const line = this.#peek();
    return line !== null && isItem(line.text) ? this.#list(indent) : this.#map(indent);
  }

  #list(indent: number): Yaml {
    const items: Yaml[] = [];
    for (let line = this.#peek(); line?.indent === indent && isItem(line.text); line = this.#peek()) {
      const text = line.text.slice(1).trimStart();
      const inner = indent + line.text.length - text.length;
      if (text === '' || KEY.test(text)) {
        // The item's first key stands where the dash does: read it as if the dash were a space.
        if (text === '') this.#at++;
        else (this.#raw as string[])[this.#at] = ' '.repeat(inner) + text;
        const next = this.#peek();
        if (next === null || next.indent <= indent) throw refused(line, 'the item is empty');
        items.push(this.#block(next.indent));
      } else {
        this.#at++;
        items.push(this.#value(line, text, indent));
      }
    }
    return items;
  }

  #map(indent: number): Yaml {
    const map: Record<string, Yaml> = {};
    for (let line = this.#peek(); line?.indent === indent; line = this.#peek()) {
      const match = KEY.exec(line.text);
      if (match === null) throw refused(line, 'it is neither `key:` nor `- item`');
      const key = match[1] as string;
      if (Object.hasOwn(map, key)) throw refused(line, `"${key}" is there twice`);
      this.#at++;
      map[key] = this.#value(line, line.text.slice(match[0].length).trim(), indent);
    }
    return map;
  }

  #value(line: Line, text: string, indent: number): Yaml {
    if (text === '|') return this.#literal(indent);
    if (text !== '') return scalar(line, text);
    const next = this.#peek();
    // A list may stand under its key without being indented.
    const nested = next !== null && (next.indent > indent || (next.indent === indent && isItem(next.text)));
    return nested ? this.#block((next as Line).indent) : null;
  }

  #literal(indent: number): string {
    const lines: string[] = [];
    for (; this.#at < this.#raw.length; this.#at++) {
      const raw = this.#raw[this.#at] as string;
      if (raw.trim() !== '' && raw.length - raw.trimStart().length <= indent) break;
      lines.push(raw);
    }
    const first = lines.find((raw) => raw.trim() !== '') ?? '';
    const inner = first.length - first.trimStart().length;
    return `${lines.map((raw) => raw.slice(inner)).join('\n').trimEnd()}\n`;
  }
}

const KEY = /^([A-Za-z_][\w-]*):(?=\s|$)/;
const isItem = (text: string): boolean => text === '-' || text.startsWith('- ');

function scalar(line: Line, text: string): Yaml {
  const quoted = /^'((?:[^']|'')*)'$/.exec(text);
  if (quoted !== null) return (quoted[1] as string).replaceAll("''", "'");
  const list = /^\[(.*)\]$/.exec(text);
  if (list !== null) return (list[1] as string).split(', ').map((item) => scalar(line, item));
  if (/^[[\]{}&*!|>"'%@`,#]|: | #/.test(text)) throw refused(line, `"${text}" is YAML that is not read here`);
  if (/^-?\d+$/.test(text)) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return text;
}

function withoutComment(text: string): string {
  return (text.startsWith('#') ? '' : text.replace(/\s#.*$/, '')).trimEnd();
}

function refused({ number, text }: Line, why: string): Error {
  return new Error(`line ${number}: ${why}: ${text}`);
}

/** The value at a path of keys and positions. Throws when there is none. */
export function yamlAt(value: Yaml, ...path: readonly (string | number)[]): Yaml {
  let at = value;
  for (const step of path) {
    const inside = (at as Record<string | number, Yaml> | null)?.[step];
    if (inside === undefined) throw new Error(`no ${path.join('.')}`);
    at = inside;
  }
  return at;
}
