/**
 * Messages of one's own as plain objects, over the Network port: for components beside the replica.
 *
 *     0  header  256  command: 128 + position of the object's kind; replica: the sender's node
 *   256  body         the object as JSON in UTF-8
 *
 * Both are under the header's checksums, so damage on the way is loss to the receiver.
 *
 * What the simulator decides about a message (loss, delay, ...) hangs on who sends which kind to
 * whom, about what, and for the how manieth time. About what: of a caller's messages and of the
 * answers to them, which of its operations (`request`), so that other operations can be left out and
 * the decision stays; of others the body, through its checksum (`op`).
 *
 * Convenient before fast: an object is written out and parsed for each message, about 3 us.
 */
import { assert } from '../assert.ts';
import { bodyValid, headerValid, seal, sealHeader } from '../checksum.ts';
import { HEADER_SIZE, PROTOCOL_VERSION, type ClusterConfig } from '../constants.ts';
import { TO_CLIENT, type Network } from '../ports.ts';
import {
  AT,
  OWN_COMMAND_MIN,
  bodyOf,
  commandOf,
  replicaOf,
  requestOf,
  setRequest,
  setSize,
} from './header.ts';
import { type Message, type MessagePool } from './pool.ts';
import { copyWords, zeroWords, type Region } from './region.ts';

/** What every message has; the rest is JSON: no undefined, NaN, Infinity, functions or cycles. */
export interface PlainMessage {
  readonly kind: string;
}

export interface Letter<M> {
  /** Node that sent it: replicas count from 0, clients go on from `replicaCount`. */
  readonly from: number;
  readonly message: M;
}

/** The part of a process's ports that messages need. */
export interface NetworkPorts {
  readonly config: ClusterConfig;
  /** 16 bytes. */
  readonly cluster: Region;
  readonly replicaCount: number;
  readonly network: Network;
  readonly pool: MessagePool;
  /** Of a caller: the operation that it is at, counted from 1. */
  readonly at?: { readonly operation: number };
}

/** UTF-8 takes up to three bytes for a unit of a string. */
const UTF8_MAX = 3;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class PlainNetwork<M extends PlainMessage> {
  private readonly ports: NetworkPorts;
  private readonly node: number;
  private readonly kinds: readonly M['kind'][];
  /** By node: the operation that it was at when last heard. */
  private readonly heard: number[] = [];

  /** `node`: the owner's number, as in `Letter.from`. `kinds`: all there are, in the order of their codes. */
  constructor(ports: NetworkPorts, node: number, kinds: readonly M['kind'][]) {
    assert(kinds.length <= 256 - OWN_COMMAND_MIN, 'plain network: too many kinds', kinds.length);
    this.ports = ports;
    this.node = node;
    this.kinds = kinds;
  }

  /** Best effort. `to` is a node other than the owner; from a client, a replica. */
  send(to: number, message: M): void {
    const { config, cluster, network, pool, replicaCount, at } = this.ports;
    const kind = this.kinds.indexOf(message.kind);
    assert(kind >= 0, 'plain network: a kind that was not declared');
    const text = JSON.stringify(message);
    const sizeMax = Math.min(HEADER_SIZE + text.length * UTF8_MAX, config.messageSizeMax);
    const out = pool.acquire(sizeMax);
    zeroWords(out, 0, HEADER_SIZE);
    const { read, written } = encoder.encodeInto(text, out.bytes.subarray(HEADER_SIZE));
    assert(read === text.length, 'plain network: message larger than messageSizeMax', text.length);
    setSize(out, HEADER_SIZE + written);
    copyWords(cluster, 0, out, AT.cluster, 16);
    out.fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
    out.fields.setUint8(AT.command, OWN_COMMAND_MIN + kind);
    out.fields.setUint8(AT.replica, this.node);
    const toClient = to >= replicaCount;
    if (toClient) out.words[AT.client >> 2] = to - replicaCount + 1;
    const operation = at?.operation ?? this.heard[to] ?? 0;
    setRequest(out, operation);
    seal(config.checksumAlgorithm, out);
    if (operation === 0) {
      out.words[AT.op >> 2] = out.words[AT.checksumBody >> 2] as number;
      sealHeader(config.checksumAlgorithm, out, 0);
    }
    network.send(toClient ? TO_CLIENT : to, out);
    out.unref();
  }

  /** To every replica but the owner, in order. */
  broadcast(message: M): void {
    for (let to = 0; to < this.ports.replicaCount; to++) if (to !== this.node) this.send(to, message);
  }

  /** Null when the message was damaged on the way, or is none of ours. */
  open(message: Message): Letter<M> | null {
    const { checksumAlgorithm } = this.ports.config;
    if (!headerValid(checksumAlgorithm, message) || !bodyValid(checksumAlgorithm, message)) return null;
    const kind = this.kinds[commandOf(message) - OWN_COMMAND_MIN];
    if (kind === undefined) return null;
    const from = replicaOf(message);
    this.heard[from] = requestOf(message);
    return { from, message: JSON.parse(decoder.decode(bodyOf(message))) as M };
  }
}
