/** A decision in words: `loss of R0 -> R1 prepare, view 2, op 17, copy 3`. */
import { type Decision, type DecisionNames, type Identity } from './decision_tape.ts';

/** Commands whose identity names an op of the log, and those that carry a request's number. */
const ABOUT_OP = new Set([
  'prepare', 'prepare_ok', 'reply', 'commit', 'do_view_change', 'start_view', 'request_prepare',
  'request_headers', 'headers', 'nack', 'request_reply',
]);
const ABOUT_REQUEST = new Set(['request', 'prepare', 'reply', 'query', 'query_reply']);
/** Commands from here on are of systems of one's own: core/message/header.ts. */
export const OWN_COMMAND_MIN = 128;
export const STORAGE_KINDS = ['read', 'write', 'sync'];

export function decisionText(decision: Decision, names: DecisionNames): string {
  const { domain, value, identity } = decision;
  const about = identityText(identity, domain, names);
  return `${domain}${CHANCES.has(domain) ? '' : ` ${value}`} of ${about}`;
}

/** Yes or no: their value says nothing. */
export const CHANCES: ReadonlySet<string> = new Set([
  'loss', 'duplicate', 'corrupt', 'sectorLost', 'writeTorn', 'sectorGarbage', 'expected',
  'idempotent', 'reissue', 'idle',
]);

function identityText(identity: Identity, domain: string, names: DecisionNames): string {
  const family = names.families[identity.family] ?? '';
  const [a = 0, b = 0, c = 0, d = 0] = identity.words;
  const { part } = identity;
  const node = (number: number): string => {
    return number < names.replicaCount ? `R${number}` : `C${number - names.replicaCount}`;
  };
  switch (family) {
    case 'message': {
      const command = names.commands[a & 0xff] ?? `command ${a & 0xff}`;
      const parts = [`${node(a >>> 16)} -> ${node((a >>> 8) & 0xff)} ${command}`];
      if ((a & 0xff) >= OWN_COMMAND_MIN && (a & 0xff) < names.commands.length) {
        // A caller's operation, counted from 0; or the checksum of its body.
        parts[0] += d === 0 ? ` #${c.toString(16).padStart(8, '0')}` : ` of operation ${d - 1}`;
      } else {
        parts.push(`view ${b}`);
        if (ABOUT_OP.has(command)) parts.push(`op ${c}`);
        else if (c !== 0) parts.push(command === 'request' ? `session ${c}` : `number ${c}`);
        if (d !== 0) parts.push(ABOUT_REQUEST.has(command) ? `request ${d}` : `detail ${d}`);
      }
      if (identity.copy !== null && identity.copy > 0) parts.push(`copy ${identity.copy}`);
      if (part > 0) parts.push(`bit ${part}`);
      return parts.join(', ');
    }
    case 'link':
      return `link ${node(Math.floor(a / Math.max(1, b)))} -> ${node(a % Math.max(1, b))}`;
    case 'storage': {
      const kind = STORAGE_KINDS[b] ?? `operation ${b}`;
      if (kind === 'sync') return `${node(a)} sync ${c}`;
      if (kind === 'read') return `${node(a)} read of sector ${c} after write ${d}`;
      // Parts of a write are its sectors: 2 * sector + 1.
      const where = part === 0 ? '' : `, there sector ${(part - 1) / 2}`;
      return `${node(a)} ${kind} ${d} of sector ${c}${where}`;
    }
    case 'operation': {
      const client = `C${a}`;
      if (d === 1) return `${client} setup of tenant ${b}, stream ${c}`;
      // An append is asked twice what it expects: the end of the stream, and if not, an older one.
      const older = domain === 'expected' && part === 1 ? ', older' : '';
      const which = domain === 'payload' ? `, event ${part}` : older;
      return `${client} operation ${b}${which}`;
    }
    case 'choice':
      return `C${a} operation ${b}, choice ${c}`;
    case 'rest':
      return `C${a} rest after ${b} operations`;
    case 'fault':
      return `fault ${a} of the plan`;
    case 'process':
      return c === 1 ? `${node(a)} crash during a write, start ${b}` : `${node(a)} start`;
    case 'plan':
      return `number ${a} of the plan`;
    default: {
      const words = identity.words.join(' ');
      return `family ${family === '' ? identity.family : family} ${words}`;
    }
  }
}
