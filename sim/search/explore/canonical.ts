/**
 * The canonical form of a live object graph: what a node (or a checker) can ever do next, and
 * nothing else. Two states with one form are one state of the search.
 *
 * The walk takes everything it finds, so a field that is new in the core is part of the state until
 * somebody says otherwise here. What is left out, and why that loses nothing, stands beside each
 * rule below: memory that is written before it is read again, counts for people, and the past of
 * numbers of which only the present matters. `CanonicalForm.check` of the tests holds the rules
 * against the code: states with one form must answer every input alike.
 */
import { HEADER_SIZE } from '../../../core/constants.ts';
import { sizeOf } from '../../../core/message/header.ts';
import { Message } from '../../../core/message/pool.ts';
import { equalWords, type Region } from '../../../core/message/region.ts';
import { EventLog } from '../../../core/storage/event_log.ts';
import { HeaderSectors } from '../../../core/storage/header_sectors.ts';
import { Journal } from '../../../core/storage/journal.ts';
import { Superblock } from '../../../core/storage/superblock.ts';
import { SuperblockState } from '../../../core/storage/superblock_layout.ts';
import { EventReader, type EventRead } from '../../../core/kernel/event_reader.ts';
import { StateMachine } from '../../../core/kernel/state_machine.ts';
import { Client } from '../../../core/vsr/client.ts';
import { Pipeline } from '../../../core/vsr/pipeline.ts';
import { Replica } from '../../../core/vsr/replica.ts';
import { Timeouts } from '../../../core/vsr/timeouts.ts';
import { WordSink } from './word_sink.ts';

/** Of any component of a node: constants, its owner, and ports, which are states of their own. */
export const NODE_PORTS: readonly string[] = [
  'config', 'zones', 'cluster', 'pool', 'storage', 'clock', 'network', 'rng', 'listener', 'observer',
];

type Fields = Readonly<Record<string, unknown>>;

/** How one class is taken: fields left out, and what is written instead of some of them. */
export interface Rule {
  readonly type: abstract new (...args: never) => object;
  readonly leftOut: readonly string[];
  readonly instead?: (object: Fields, form: CanonicalForm) => void;
}

export class CanonicalForm {
  readonly sink = new WordSink();
  private readonly rules: ReadonlyMap<unknown, Rule>;
  private readonly leftOut: ReadonlyMap<unknown, ReadonlySet<string>>;
  private readonly everywhere: ReadonlySet<string>;
  private readonly seen = new Map<object, number>();

  /** `leftOut`: names of fields that are left out of every object. */
  constructor(rules: readonly Rule[], leftOut: readonly string[]) {
    this.everywhere = new Set(leftOut);
    this.rules = new Map(rules.map((rule) => [rule.type.prototype, rule]));
    this.leftOut = new Map(rules.map((rule) => [rule.type.prototype, new Set(rule.leftOut)]));
  }

  begin(): void {
    this.sink.clear();
    this.seen.clear();
  }

  /** Adds a value and all that it reaches. */
  add(value: unknown): void {
    const { sink } = this;
    switch (typeof value) {
      case 'number': return sink.number(value);
      case 'boolean': return sink.flag(value);
      case 'string': return sink.text(value);
      case 'object': return value === null ? sink.none() : this.object(value);
      default: return; // Functions are constants.
    }
  }

  private object(object: object): void {
    const { sink } = this;
    // By content: the same bytes in another slot of the pool are the same message.
    if (object instanceof Message) return this.message(object);
    if (ArrayBuffer.isView(object)) {
      const { buffer, byteOffset, byteLength } = object;
      return sink.view(new Uint8Array(buffer, byteOffset, byteLength), 0, byteLength);
    }
    if (Object.isFrozen(object)) return;
    const number = this.seen.get(object);
    if (number !== undefined) return sink.reference(number);
    this.seen.set(object, this.seen.size);
    if (Array.isArray(object)) {
      sink.mark(object.length);
      for (const element of object) this.add(element);
    } else if (object instanceof Map) {
      sink.mark(object.size);
      object.forEach((value, key) => {
        this.add(key);
        this.add(value);
      });
    } else if (object instanceof Set) {
      sink.mark(object.size);
      object.forEach((value) => this.add(value));
    } else if (isRegion(object)) {
      sink.part(object, 0, object.bytes.byteLength);
    } else {
      this.record(object as Fields);
    }
  }

  private record(object: Fields): void {
    const prototype: unknown = Object.getPrototypeOf(object);
    const leftOut = this.leftOut.get(prototype);
    for (const key of Object.keys(object)) {
      if (!this.everywhere.has(key) && (leftOut === undefined || !leftOut.has(key))) this.add(object[key]);
    }
    this.rules.get(prototype)?.instead?.(object, this);
  }

  message(message: Message): void {
    const size = sizeOf(message);
    this.sink.part(message, 0, size >= HEADER_SIZE && size <= message.capacity ? size : message.capacity);
  }
}

function isRegion(object: object): object is Region {
  const { bytes, fields, words } = object as Partial<Region>;
  return bytes instanceof Uint8Array && fields instanceof DataView && words instanceof Uint32Array;
}

/** Of a replica, whatever its disk is like. */
const REPLICA_COMMON: readonly Rule[] = [
  {
    type: Replica,
    leftOut: [
      'quorums', 'started',
      'viewHeadersScratch', // Never held across calls.
      'viewHeaders', // Below: as many as count.
      // Read by one handler alone, that of the timer normalHeartbeat, when an hour has passed.
      'lastSignOfLife',
      'repairState', // Below.
    ],
    instead: (object, form) => {
      const replica = object as unknown as Replica;
      form.sink.part(replica.viewHeaders, 0, replica.viewHeadersCount * HEADER_SIZE);
      const { inFlightOp, inFlightExpires, ...rest } = replica.repairState;
      form.add(rest);
      form.add(inFlightOp);
      // Of a request that was settled the expiry means nothing any more.
      inFlightOp.forEach((op, i) => form.sink.number(op === 0 ? 0 : (inFlightExpires[i] as number)));
    },
  },
  {
    // Delays are abstract, and so is how often one was doubled.
    type: Timeouts,
    leftOut: ['prepareAttempts'],
  },
  {
    type: Pipeline,
    leftOut: ['prepares', 'acks', 'quorum', 'opFirst', 'requests', 'requestHead'],
    instead: (object, form) => {
      const pipeline = object as unknown as Pipeline;
      const { acks, quorum, requests, requestHead, requestCount, capacity } =
        object as unknown as PipelineFields;
      for (let i = 0; i < pipeline.count; i++) {
        const op = pipeline.opFirst + i;
        form.add(pipeline.at(op));
        form.sink.number((acks[op % capacity] as number) * 2 + (quorum[op % capacity] as number));
      }
      for (let i = 0; i < requestCount; i++) form.add(requests[(requestHead + i) % requests.length]);
    },
  },
  {
    type: StateMachine,
    // Scratch for trailers, and references that are set before each use.
    leftOut: [
      'rules', 'content', 'command', 'sessions',
      'checkpointRefs', 'freeSetAcquired', 'freeSetReleased',
    ],
  },
  {
    type: EventReader,
    leftOut: ['reads', 'cursor'],
    instead: (object, form) => {
      const { reads } = object as unknown as { reads: readonly EventRead[] };
      for (const read of reads) if (read.query !== null) form.add(read);
    },
  },
  {
    type: EventLog,
    // The block being filled has no size yet: its bytes up to the end of the last record.
    leftOut: ['tail'],
    instead: (object, form) => {
      const { tail, tailEnd } = object as unknown as { tail: Message | null; tailEnd: number };
      if (tail !== null) form.sink.part(tail, 0, tailEnd);
    },
  },
];

/** Numbers of the journal's recovery alone: read while it runs, for people afterwards. */
const RECOVERY_COUNTS = ['caseCounts', 'tornCount', 'cutCount', 'filteredCount'];

/** On an atomic disk, between two steps: no I/O is in flight. */
export const ATOMIC_RULES: readonly Rule[] = [
  ...REPLICA_COMMON,
  {
    type: Superblock,
    leftOut: [
      'copies', 'plan', 'planned', 'position', // Written anew by each update.
      'copiesRepaired', // For people.
      'staging', // Equal to `working` when no update is in flight.
      'queued', // Empty when no update is in flight.
    ],
  },
  {
    type: SuperblockState,
    // The chain of superblocks: `parent` and `sequence` say how the present one came about. Copies
    // are compared by them, and between steps all four are alike.
    leftOut: ['image', 'checksum', 'parent', 'sequence', 'viewHeaders'],
    instead: (object, form) => {
      const state = object as unknown as SuperblockState;
      form.sink.part(state.viewHeaders, 0, state.viewHeadersCount * HEADER_SIZE);
    },
  },
  {
    type: Journal,
    leftOut: [
      ...RECOVERY_COUNTS, 'opMaxRecovered', 'reserved',
      'wave', 'writes', 'reads', // Free all of them; waves are told apart within one batch.
      'headers', 'headersRedundant', 'prepareChecksum', 'prepareSize', // Below: where there is something.
    ],
    instead: addJournalSlots,
  },
  {
    type: HeaderSectors,
    // The I/O buffer, and whose turn the next write is: with an atomic disk all are over at once.
    leftOut: ['buffer', 'views', 'redundant', 'faulty', 'next'],
  },
];

/** On a disk whose I/O takes its time. */
export const STEPS_RULES: readonly Rule[] = [
  ...REPLICA_COMMON,
  { type: Superblock, leftOut: ['copiesRepaired'] },
  {
    type: Journal,
    leftOut: [
      ...RECOVERY_COUNTS, 'reserved',
      'wave', 'writes', 'reads', // Below: those in use.
      'headers', 'headersRedundant', 'prepareChecksum', 'prepareSize',
    ],
    instead: (object, form) => {
      addJournalSlots(object, form);
      const { wave, writes, reads } = object as unknown as JournalQueues;
      for (const { index, slot, step, wave: own, message, reported } of writes) {
        if (message === null) continue;
        // Of two waves it matters only which is the older.
        form.add([index, slot, step, wave - own, message, reported]);
      }
      for (const read of reads) if (read.message !== null) form.add(read);
    },
  },
  { type: HeaderSectors, leftOut: ['views', 'redundant', 'faulty'] },
];

interface JournalQueues {
  readonly wave: number;
  readonly writes: readonly {
    readonly index: number;
    readonly slot: number;
    readonly step: number;
    readonly wave: number;
    readonly message: Message | null;
    readonly reported: boolean;
  }[];
  readonly reads: readonly { readonly message: Message | null }[];
}

interface PipelineFields {
  readonly acks: Uint16Array;
  readonly quorum: Uint8Array;
  readonly requests: readonly (Message | null)[];
  readonly requestHead: number;
  readonly requestCount: number;
  readonly capacity: number;
}

function addJournalSlots(object: Fields, form: CanonicalForm): void {
  const journal = object as unknown as Journal;
  const { prepareSize } = object as unknown as { readonly prepareSize: Uint32Array };
  for (let slot = 0; slot < journal.slots; slot++) {
    const at = slot * HEADER_SIZE;
    for (const headers of [journal.headers, journal.headersRedundant]) {
      if (equalWords(headers, at, journal.reserved, at, HEADER_SIZE)) continue;
      form.sink.mark(slot);
      form.sink.part(headers, at, HEADER_SIZE);
    }
    if (journal.prepareInhabited[slot] === 0) continue;
    form.sink.part(journal.prepareChecksum, slot * 32, 32);
    form.sink.number(prepareSize[slot] as number);
  }
}

export const CLIENT_RULES: readonly Rule[] = [
  {
    type: Client,
    leftOut: [
      'clientId',
      'attempts', 'sentAt', 'roundTrips', 'roundTripCount', // They make delays, and delays are abstract.
      'refusedCount', // For people.
      'rotation', // Below: to whom the next copy goes.
    ],
    instead: (object, form) => {
      const { rotation, replicaCount } = object as { rotation: number; replicaCount: number };
      form.sink.number(replicaCount === 1 ? 0 : rotation % (replicaCount - 1));
    },
  },
];
