/** Messages, operations and answers of a system of one's own in words: its plain objects, shortened. */
import { HEADER_SIZE } from '../core/constants.ts';
import { COMMAND_NAMES, OWN_COMMAND_MIN, commandOf, sizeOf } from '../core/message/header.ts';
import { type Region } from '../core/message/region.ts';
import { PLAIN_WORDS, type Words } from './words.ts';

const TEXT_MAX = 200;
const decoder = new TextDecoder();

/** `kinds`: names of the commands from `OWN_COMMAND_MIN` on. */
export function ownWords(kinds: readonly string[]): Words {
  const commands = [...COMMAND_NAMES];
  while (commands.length < OWN_COMMAND_MIN) commands.push('');
  commands.push(...kinds);
  return Object.freeze({
    ...PLAIN_WORDS,
    commands: Object.freeze(commands),
    message(region: Region, at: number): string {
      const name = commands[commandOf(region, at)] || `command ${commandOf(region, at)}`;
      const fields = plainFields(bodyText(region, at));
      return fields === null ? name : `${name} ${fields}`.trimEnd();
    },
    messageOp: () => -1,
  });
}

/** `{ kind: 'put', key: 'a', version: [1, 2] }` as `put key=a version=[1 2]`. */
export function plainText(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return shortened(textOf(value));
  const { kind, ...fields } = value as Readonly<Record<string, unknown>>;
  if (typeof kind !== 'string') return shortened(fieldsText(value));
  return shortened(`${kind} ${fieldsText(fields)}`.trimEnd());
}

/** The body behind a whole message's header; '' where only the header is at hand, or none to trust. */
function bodyText(region: Region, at: number): string {
  const size = sizeOf(region, at);
  if (size <= HEADER_SIZE || at + size > region.bytes.byteLength) return '';
  return decoder.decode(region.bytes.subarray(at + HEADER_SIZE, at + size));
}

/** Null: it was damaged on the way, or is no plain object. */
function plainFields(text: string): string | null {
  if (text === '') return null;
  try {
    const { kind: _, ...fields } = JSON.parse(text) as Record<string, unknown>;
    return plainText(fields);
  } catch {
    return '(damaged)';
  }
}

function fieldsText(value: object): string {
  return Object.entries(value).map(([name, field]) => `${name}=${textOf(field)}`).join(' ');
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(' ')}]`;
  return typeof value === 'object' && value !== null ? `{${fieldsText(value)}}` : String(value);
}

function shortened(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}...`;
}
