/** Plain data as TypeScript, as a person would write it: short things on a line, long numbers grouped. */
const COLUMNS = 92;

/** Stands in the text as it is: a name. */
export class Verbatim {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** `indent`: columns before the first line's text, and before every further line. */
export function literal(value: unknown, indent = 0): string {
  const flat = flatLiteral(value);
  if (flat.length + indent <= COLUMNS || typeof value !== 'object' || value === null) return flat;
  const pad = ' '.repeat(indent + 2);
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item === 'number')) return wrapped(value as number[], indent);
    const items = value.map((item) => `${pad}${literal(item, indent + 2)},\n`);
    return `[\n${items.join('')}${' '.repeat(indent)}]`;
  }
  const fields = Object.entries(value).map(([name, field]: [string, unknown]) => {
    if (field instanceof Verbatim && field.text === name) return `${pad}${name},\n`;
    return `${pad}${key(name)}: ${literal(field, indent + 2)},\n`;
  });
  return `{\n${fields.join('')}${' '.repeat(indent)}}`;
}

function flatLiteral(value: unknown): string {
  if (typeof value === 'number') return numeral(value);
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Verbatim) return value.text;
  if (Array.isArray(value)) return `[${value.map(flatLiteral).join(', ')}]`;
  const fields = Object.entries(value).map(([name, field]) => `${key(name)}: ${flatLiteral(field)}`);
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}

/** Many numbers: as many a line as fit. */
function wrapped(numbers: readonly number[], indent: number): string {
  const pad = ' '.repeat(indent + 2);
  const lines: string[] = [];
  let line = '';
  for (const number of numbers) {
    const next = `${numeral(number)}, `;
    if (line !== '' && pad.length + line.length + next.length > COLUMNS) {
      lines.push(line);
      line = '';
    }
    line += next;
  }
  lines.push(line);
  return `[\n${lines.map((text) => `${pad}${text.trimEnd()}\n`).join('')}${' '.repeat(indent)}]`;
}

/** 1_000_000; below 10,000 without marks. */
export function numeral(value: number): string {
  if (!Number.isInteger(value) || Math.abs(value) < 10_000) return String(value);
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, '_');
}

export function quoted(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1); // With double quotes escaped, single ones not.
  return `'${escaped.replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

function key(name: string): string {
  return /^([a-z_]\w*|\d+)$/i.test(name) ? name : quoted(name);
}
