/**
 * Lines of text with tones, not colours: made by pure functions, shown by a terminal (ANSI), a file
 * (plain) or the terminal program (its own components), each in its own way.
 */
export type Tone = 'plain' | 'strong' | 'faint' | 'failure' | 'fault' | 'recovery' | 'protocol' | 'data';

export interface Span {
  readonly text: string;
  readonly tone: Tone;
}

/** Neighbours of one tone are one span. */
export type StyledLine = readonly Span[];

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone };
}

const ANSI: Readonly<Record<Tone, string>> = {
  plain: '',
  strong: '\u001b[1m',
  faint: '\u001b[2m',
  failure: '\u001b[1;31m',
  fault: '\u001b[33m',
  recovery: '\u001b[32m',
  protocol: '\u001b[35m',
  data: '\u001b[36m',
};

/** One line, without its end. */
export function lineText(line: StyledLine, colour: boolean): string {
  const text = line
    .map((part) => (colour && part.tone !== 'plain' ? `${ANSI[part.tone]}${part.text}\u001b[0m` : part.text))
    .join('');
  return colour ? text : text.trimEnd();
}

export function linesText(lines: readonly StyledLine[], colour: boolean): string {
  return lines.map((line) => `${lineText(line, colour)}\n`).join('');
}

/** What came from a file of somebody else may not move the cursor: control characters become `?`. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '?');
}

export interface ColourStream {
  readonly isTTY?: boolean;
}

/** See no-color.org: any value of NO_COLOR but the empty one says no. */
export function wantsColour(stream: ColourStream, option: boolean, env: NodeJS.ProcessEnv): boolean {
  if (!option || (env['NO_COLOR'] ?? '') !== '') return false;
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}
