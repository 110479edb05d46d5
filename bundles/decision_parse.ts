/** A decision from words: the inverse of decision_text.ts, for tests written by hand. */
import { type DecisionNames, type Identity } from './decision_tape.ts';
import { CHANCES, STORAGE_KINDS } from './decision_text.ts';

export interface ParsedDecision {
  readonly domain: string;
  /** 1 of a chance. */
  readonly value: number;
  readonly identity: Identity;
}

/** Throws with the reason when it is not as `decisionText` writes it. */
export function parseDecision(text: string, names: DecisionNames): ParsedDecision {
  const match = /^(\w+)(?: (\d+))? of (.+)$/.exec(text);
  if (match === null) throw wrong(text, 'it is not "domain of what" or "domain value of what"');
  const [, domain = '', value, about = ''] = match;
  if (!names.domains.includes(domain)) throw wrong(text, `nothing is called "${domain}"`);
  if (value === undefined && !CHANCES.has(domain)) throw wrong(text, `${domain} needs a value`);
  const identity = parseIdentity(about, names);
  if (identity === null) throw wrong(text, `"${about}" names nothing that is decided about`);
  return { domain, value: Number(value ?? 1), identity };
}

function wrong(text: string, reason: string): Error {
  return new Error(`no decision: "${text}": ${reason}`);
}

/** Ends, command, its view, more; in a system of one's own what it is about instead of the view. */
const MESSAGE =
  /^([RC]\d+) -> ([RC]\d+) (?:command (\d+)|(\w+))(?: #([0-9a-f]{8})| of operation (\d+)|, view (\d+))(.*)$/;

/**
 * Of each form of decision_text.ts, which family it is and how its numbers become words. Not of links
 * (their text leaves out how many nodes there are) and of families that it does not know. Null: none.
 */
function parseIdentity(text: string, names: DecisionNames): Identity | null {
  const { replicaCount } = names;
  const node = (lane: string): number =>
    lane.startsWith('R') ? Number(lane.slice(1)) : replicaCount + Number(lane.slice(1));
  const of = (family: string, words: readonly number[], part = 0, copy: number | null = null): Identity => ({
    family: names.families.indexOf(family),
    words: [...words, 0, 0, 0, 0, 0, 0].slice(0, 6),
    copy,
    part,
  });

  const message = MESSAGE.exec(text);
  if (message !== null) {
    const [, from = '', to = '', code, name = '', body, operation, view, rest = ''] = message;
    const command = code === undefined ? names.commands.indexOf(name) : Number(code);
    const details = [...rest.matchAll(/, (op|session|number|request|detail|copy|bit) (\d+)/g)];
    if (command < 0 || details.map(([all]) => all).join('') !== rest) return null;
    const about = body === undefined ? 0 : Number.parseInt(body, 16);
    const detail = operation === undefined ? 0 : Number(operation) + 1;
    const words = [(node(from) << 16) | (node(to) << 8) | command, Number(view ?? 0), about, detail];
    let copy = 0;
    let part = 0;
    for (const [, what, number] of details) {
      if (what === 'copy') copy = Number(number);
      else if (what === 'bit') part = Number(number);
      else words[what === 'request' || what === 'detail' ? 3 : 2] = Number(number);
    }
    return of('message', words, part, copy);
  }
  const sync = /^(R\d+) sync (\d+)$/.exec(text);
  if (sync !== null) return of('storage', [node(sync[1] as string), 2, Number(sync[2])]);
  const read = /^(R\d+) read of sector (\d+) after write (\d+)$/.exec(text);
  if (read !== null) return of('storage', [node(read[1] as string), 0, Number(read[2]), Number(read[3])]);
  const write = /^(R\d+) (write|operation (\d+)) (\d+) of sector (\d+)(?:, there sector (\d+))?$/.exec(text);
  if (write !== null) {
    const [, lane = '', kind = '', number, count, sector, there] = write;
    const operation = number === undefined ? STORAGE_KINDS.indexOf(kind) : Number(number);
    const part = there === undefined ? 0 : Number(there) * 2 + 1;
    return of('storage', [node(lane), operation, Number(sector), Number(count)], part);
  }
  const setup = /^C(\d+) setup of tenant (\d+), stream (\d+)$/.exec(text);
  if (setup !== null) return of('operation', [Number(setup[1]), Number(setup[2]), Number(setup[3]), 1]);
  const operation = /^C(\d+) operation (\d+)(?:, event (\d+)|, (older))?$/.exec(text);
  if (operation !== null) {
    const [, client, index, event, older] = operation;
    return of('operation', [Number(client), Number(index)], older === undefined ? Number(event ?? 0) : 1);
  }
  const choice = /^C(\d+) operation (\d+), choice (\d+)$/.exec(text);
  if (choice !== null) return of('choice', choice.slice(1).map(Number));
  const rest = /^C(\d+) rest after (\d+) operations$/.exec(text);
  if (rest !== null) return of('rest', rest.slice(1).map(Number));
  const fault = /^fault (\d+) of the plan$/.exec(text);
  if (fault !== null) return of('fault', [Number(fault[1])]);
  const crash = /^([RC]\d+) crash during a write, start (\d+)$/.exec(text);
  if (crash !== null) return of('process', [node(crash[1] as string), Number(crash[2]), 1]);
  const start = /^([RC]\d+) start$/.exec(text);
  if (start !== null) return of('process', [node(start[1] as string)]);
  const plan = /^number (\d+) of the plan$/.exec(text);
  return plan === null ? null : of('plan', [Number(plan[1])]);
}
