/**
 * The `.kmb` bundle: one failing run, complete enough to be replayed on another machine.
 *
 *     0  magic           8  89 4B 4D 42 0D 0A 1A 0A: a copy made in text mode is noticed
 *     8  layout          2  of this header: 1
 *    10  schema          2  of the content: `BUNDLE_SCHEMA`
 *    12  reserved        4  zero
 *    16  packed size     4  bytes after this header
 *    20  content size    4  bytes after decompression
 *    24  reserved        8  zero
 *    32  checksum       32  SHA-256 of bytes 0..31 and of the packed bytes
 *    64  packed             zstd of one msgpack map (`Bundle`)
 *
 * A checksum is no signature: a bundle may come from anyone. So every size is checked before
 * memory is taken for it, decompression is bounded, the msgpack bytes are walked before they are
 * decoded (`msgpack_walk.ts`), and every field is checked against its type.
 */
import { createHash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Packr } from 'msgpackr';
import { tapeProblem, type DecisionTape } from './decision_tape.ts';
import { msgpackProblem } from './msgpack_walk.ts';

/** 1: without `failure.signature` and `decisions`. 2: this one. */
export const BUNDLE_SCHEMA = 2;
export const BUNDLE_LAYOUT = 1;
export const BUNDLE_HEADER_SIZE = 64;
/** A plan of 100,000 operations packs into about 1 MiB. */
export const BUNDLE_FILE_SIZE_MAX = 32 << 20;
export const BUNDLE_CONTENT_SIZE_MAX = 128 << 20;

export { readDecisions, type Decision, type DecisionTape, type Identity } from './decision_tape.ts';
export { decisionText } from './decision_text.ts';

const MAGIC = Uint8Array.of(0x89, 0x4b, 0x4d, 0x42, 0x0d, 0x0a, 0x1a, 0x0a);

export type PlainData =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly PlainData[]
  | { readonly [key: string]: PlainData };

export interface BundleFailure {
  /** Id of the checker. */
  readonly invariant: string;
  /** Equal for failures that are the same bug: see sim/search/signature.ts. Null in schema 1. */
  readonly signature: string | null;
  readonly message: string;
  /** Number of the event at which the checker spoke; the first event is 1. */
  readonly event: number;
  readonly virtualMicros: number;
  /** Indices of the replicas that the contradiction is about. */
  readonly replicas: readonly number[];
}

export interface BundleDigests {
  /** Of the whole run, as `vopr run` reports it for one seed. */
  readonly final: string;
  /**
   * Low 16 bits of the rolling digest after each event, little-endian, two bytes an event: finds
   * the first event at which another run departs (a departure goes unseen for one event with
   * probability 2^-16). Cut off after `DIGEST_TAPE_EVENTS_MAX` events.
   */
  readonly tape: Uint8Array;
}
export const DIGEST_TAPE_EVENTS_MAX = 4 << 20;

export interface BundleCode {
  /** Version of the package. */
  readonly version: string;
  /** Git commit, with `-dirty` when the tree had changes; `unknown` outside a checkout. */
  readonly commit: string;
  readonly node: string;
  /** Where the code of a system of one's own was, for people; absent: there was none. */
  readonly module?: string;
}

export interface Bundle {
  readonly scenario: string;
  readonly seed: number;
  readonly canary: string | null;
  /** Caps given on the command line; null: the scenario's own. */
  readonly limits: { readonly events: number | null; readonly micros: number | null };
  /** `sim/plan.ts` owns its shape and checks it when it takes it. */
  readonly plan: PlainData;
  readonly code: BundleCode;
  readonly failure: BundleFailure;
  /** Events of the whole run, the failing one included. */
  readonly events: number;
  readonly digests: BundleDigests;
  /** What was decided, by identity: see decision_tape.ts. Null in schema 1. */
  readonly decisions: DecisionTape | null;
}

export type BundleErrorCode =
  | 'not-a-bundle'
  | 'truncated'
  | 'too-large'
  | 'newer-version'
  | 'checksum'
  | 'malformed';

export class BundleError extends Error {
  override readonly name = 'BundleError';
  readonly code: BundleErrorCode;
  constructor(code: BundleErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

// No record extension, so that any msgpack reader can read a bundle; typed arrays go as `bin`.
const packr = new Packr({ useRecords: false, variableMapSize: true });

export function encodeBundle(bundle: Bundle): Uint8Array {
  const content = packr.pack(bundle);
  const packed = zstdCompressSync(content, {
    params: { [constants.ZSTD_c_compressionLevel]: 10 },
  });
  const bytes = new Uint8Array(BUNDLE_HEADER_SIZE + packed.byteLength);
  if (bytes.byteLength > BUNDLE_FILE_SIZE_MAX || content.byteLength > BUNDLE_CONTENT_SIZE_MAX) {
    throw new BundleError('too-large', `Cannot encode the bundle: ${sizes(bytes.byteLength)}`);
  }
  const fields = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  fields.setUint16(8, BUNDLE_LAYOUT, true);
  fields.setUint16(10, BUNDLE_SCHEMA, true);
  fields.setUint32(16, packed.byteLength, true);
  fields.setUint32(20, content.byteLength, true);
  bytes.set(packed, BUNDLE_HEADER_SIZE);
  bytes.set(checksum(bytes), 32);
  return bytes;
}

/** Throws `BundleError`; never allocates more than the stated limits, whatever the bytes say. */
export function decodeBundle(bytes: Uint8Array): Bundle {
  const { content, schema } = unwrap(bytes);
  const problem = msgpackProblem(content);
  if (problem !== null) throw malformed(problem);
  return parseBundle(packr.unpack(content), schema);
}

/** Checks the envelope and returns the decompressed content. */
function unwrap(bytes: Uint8Array): { content: Uint8Array; schema: number } {
  for (let i = 0; i < Math.min(MAGIC.length, bytes.byteLength); i++) {
    if (bytes[i] !== MAGIC[i]) {
      throw new BundleError('not-a-bundle', 'the first bytes are not those of a .kmb bundle');
    }
  }
  if (bytes.byteLength < BUNDLE_HEADER_SIZE) {
    throw new BundleError(
      'truncated',
      `truncated: ${bytes.byteLength} bytes, the header alone has ${BUNDLE_HEADER_SIZE}`,
    );
  }
  if (bytes.byteLength > BUNDLE_FILE_SIZE_MAX) {
    throw new BundleError('too-large', `too large: ${sizes(bytes.byteLength)}`);
  }
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = fields.getUint16(8, true);
  const schema = fields.getUint16(10, true);
  // Before the checksum: a newer layout may keep it elsewhere.
  if (layout > BUNDLE_LAYOUT || schema > BUNDLE_SCHEMA) {
    throw new BundleError(
      'newer-version',
      `written by a newer version: layout ${layout}, schema ${schema}; ` +
        `this version reads up to layout ${BUNDLE_LAYOUT}, schema ${BUNDLE_SCHEMA}`,
    );
  }
  const packedSize = fields.getUint32(16, true);
  const contentSize = fields.getUint32(20, true);
  const bodySize = bytes.byteLength - BUNDLE_HEADER_SIZE;
  if (bodySize < packedSize) {
    throw new BundleError(
      'truncated',
      `truncated: ${bodySize} of ${packedSize} bytes follow the header`,
    );
  }
  if (bodySize > packedSize) {
    throw malformed(`${bodySize - packedSize} bytes follow the end of the bundle`);
  }
  if (!equalBytes(checksum(bytes), bytes.subarray(32, 64))) {
    throw new BundleError('checksum', 'corrupt: the checksum does not match the bytes');
  }
  if (layout === 0 || schema === 0) throw malformed(`layout ${layout}, schema ${schema}`);
  for (const at of [12, 24, 28]) {
    if (fields.getUint32(at, true) !== 0) throw malformed(`reserved bytes at ${at} are not zero`);
  }
  if (contentSize > BUNDLE_CONTENT_SIZE_MAX) {
    throw new BundleError(
      'too-large',
      `claims ${contentSize} bytes of content; at most ${BUNDLE_CONTENT_SIZE_MAX} are accepted`,
    );
  }
  let content: Uint8Array;
  try {
    content = zstdDecompressSync(bytes.subarray(BUNDLE_HEADER_SIZE), {
      maxOutputLength: Math.max(1, contentSize),
    });
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw malformed(`decompresses to more than the ${contentSize} bytes it claims`);
    }
    throw malformed('the content does not decompress');
  }
  if (content.byteLength !== contentSize) {
    throw malformed(`decompresses to ${content.byteLength} bytes, it claims ${contentSize}`);
  }
  return { content, schema };
}

function parseBundle(value: unknown, schema: number): Bundle {
  const bundle = record(value, 'bundle');
  const limits = record(bundle['limits'], 'limits');
  const code = record(bundle['code'], 'code');
  const failure = record(bundle['failure'], 'failure');
  const digests = record(bundle['digests'], 'digests');
  const tape = digests['tape'];
  if (!(tape instanceof Uint8Array) || tape.byteLength % 2 !== 0) {
    throw malformed('"digests.tape" must be bytes, two an event');
  }
  const replicas = failure['replicas'];
  if (!Array.isArray(replicas)) throw malformed('"failure.replicas" must be a list');
  const canary = bundle['canary'];
  const events = count(bundle['events'], 'events');
  return {
    scenario: name(bundle['scenario'], 'scenario'),
    seed: count(bundle['seed'], 'seed'),
    canary: canary === null ? null : name(canary, 'canary'),
    limits: {
      events: limits['events'] === null ? null : count(limits['events'], 'limits.events'),
      micros: limits['micros'] === null ? null : count(limits['micros'], 'limits.micros'),
    },
    plan: plain(bundle['plan'], 'plan'),
    code: {
      version: name(code['version'], 'code.version'),
      commit: name(code['commit'], 'code.commit'),
      node: name(code['node'], 'code.node'),
      ...(code['module'] === undefined ? {} : { module: name(code['module'], 'code.module') }),
    },
    failure: {
      invariant: name(failure['invariant'], 'failure.invariant'),
      signature: schema < 2 ? null : text(failure['signature'], 'failure.signature', 1024),
      message: text(failure['message'], 'failure.message', 64 << 10),
      event: count(failure['event'], 'failure.event'),
      virtualMicros: count(failure['virtualMicros'], 'failure.virtualMicros'),
      replicas: replicas.map((index, i) => count(index, `failure.replicas[${i}]`)),
    },
    events,
    digests: { final: name(digests['final'], 'digests.final'), tape: Uint8Array.from(tape) },
    decisions: schema < 2 ? null : parseDecisions(bundle['decisions'], events),
  };
}

function parseDecisions(value: unknown, events: number): DecisionTape | null {
  if (value === null) return null;
  const tape = record(value, 'decisions');
  const names = record(tape['names'], 'decisions.names');
  const words = tape['words'];
  if (!Array.isArray(words)) throw malformed('"decisions.words" must be a list');
  const parsed: DecisionTape = {
    total: count(tape['total'], 'decisions.total'),
    count: count(tape['count'], 'decisions.count'),
    identityCount: count(tape['identityCount'], 'decisions.identityCount'),
    names: {
      domains: nameList(names['domains'], 'decisions.names.domains'),
      families: nameList(names['families'], 'decisions.names.families'),
      commands: nameList(names['commands'], 'decisions.names.commands'),
      replicaCount: count(names['replicaCount'], 'decisions.names.replicaCount'),
    },
    events: column(tape['events'], 'decisions.events'),
    domains: column(tape['domains'], 'decisions.domains'),
    values: column(tape['values'], 'decisions.values'),
    identities: column(tape['identities'], 'decisions.identities'),
    families: column(tape['families'], 'decisions.families'),
    words: words.map((word, i) => column(word, `decisions.words[${i}]`)),
    copies: column(tape['copies'], 'decisions.copies'),
    parts: column(tape['parts'], 'decisions.parts'),
  };
  const problem = tapeProblem(parsed, events);
  if (problem !== null) throw malformed(`decisions: ${problem}`);
  return parsed;
}

// --- Fields ---

function column(value: unknown, field: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed(`"${field}" must be bytes`);
  return Uint8Array.from(value);
}

/** Names by number; '' where a number is not used. */
function nameList(value: unknown, field: string): string[] {
  if (!Array.isArray(value)) throw malformed(`"${field}" must be a list`);
  return value.map((one, i) => (one === '' ? '' : name(one, `${field}[${i}]`)));
}

function record(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(`"${field}" must be a map`);
  }
  if (value instanceof Uint8Array) throw malformed(`"${field}" must be a map`);
  return value as Readonly<Record<string, unknown>>;
}

function count(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw malformed(`"${field}" must be a whole number from 0 to 2^53 - 1`);
  }
  return value;
}

function text(value: unknown, field: string, lengthMax: number): string {
  if (typeof value !== 'string') throw malformed(`"${field}" must be text`);
  if (value.length > lengthMax) throw malformed(`"${field}" has ${value.length} characters`);
  return value;
}

/** Names are printed on terminals and become parts of file names: no control characters. */
function name(value: unknown, field: string): string {
  const result = text(value, field, 200);
  if (!/^[\x20-\x7e]+$/.test(result)) throw malformed(`"${field}" must be printable text`);
  return result;
}

/** Depth and size are bounded by `msgpackProblem` already. */
function plain(value: unknown, field: string): PlainData {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return value;
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = plain(value[i], field);
    return value as readonly PlainData[];
  }
  if (typeof value === 'object') {
    const map = value as Record<string, unknown>;
    for (const key of Object.keys(map)) map[key] = plain(map[key], field);
    return map as { readonly [key: string]: PlainData };
  }
  throw malformed(`"${field}" holds a ${typeof value}`);
}

// --- Bytes ---

function checksum(bytes: Uint8Array): Uint8Array {
  const hash = createHash('sha256');
  hash.update(bytes.subarray(0, 32));
  hash.update(bytes.subarray(BUNDLE_HEADER_SIZE));
  return hash.digest();
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let i = 0; i < a.byteLength; i++) if (a[i] !== b[i]) return false;
  return true;
}

function sizes(size: number): string {
  return `${size} bytes; at most ${BUNDLE_FILE_SIZE_MAX} are accepted`;
}

function malformed(reason: string): BundleError {
  return new BundleError('malformed', `malformed: ${reason}`);
}
