/**
 * Commands and outputs in a document: blocks fenced as `console`, in which lines that begin with
 * `$ ` are commands. They are run, and what they print is compared by shape: the same lines and
 * words, other numbers.
 */
export interface Step {
  readonly command: string;
  readonly output: string[];
}

/** Of all blocks, in order. */
export function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  let inBlock = false;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('```')) inBlock = line === '```console';
    else if (inBlock && line.startsWith('$ ')) steps.push({ command: line.slice(2), output: [] });
    else if (inBlock) steps.at(-1)?.output.push(line);
  }
  return steps;
}

/** The document with other outputs, one a step. */
export function withOutputs(markdown: string, outputs: readonly (readonly string[])[]): string {
  const lines: string[] = [];
  let inBlock = false;
  let step = -1;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('```')) inBlock = line === '```console';
    if (inBlock && line.startsWith('$ ')) lines.push(line, ...(outputs[++step] as readonly string[]));
    else if (!inBlock || line.startsWith('```')) lines.push(line);
  }
  return lines.join('\n');
}

/** What two runs have in common: words, not numbers, digests, units or the width of a column. */
export function shapeOf(line: string): string {
  return line
    .replaceAll(/commit \S+,/g, 'commit #,')
    .replaceAll(/\b(?=[0-9a-f]*[0-9])[0-9a-f]{7,}(-dirty)?\b/g, '#')
    .replaceAll(/\d+([,.:]\d+)*( ?(k|M|G|ms|us|s|min|h|KiB|MiB|GiB)\b)?/g, '#')
    .replaceAll(/#( #)+/g, '#')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
