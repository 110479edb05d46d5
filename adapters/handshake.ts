/**
 * The first frame each way on a connection: who is there, of which cluster and configuration.
 *
 *     0  magic          8  "KMBLHELO"
 *     8  protocol       2  PROTOCOL_VERSION
 *    10  kind           1  hello, welcome, refused
 *    11  role           1  of the sender: replica or client
 *    12  replica        1  the sender's index; 255 for a client
 *    13  addressee      1  the index the sender believes to reach; 255 when it does not know
 *    14  replica_count  1
 *    15  reason         1  of a refusal
 *    16  cluster       16  zero in a client's hello: any
 *    32  fingerprint   32  of the configuration; zero in a client's hello: any
 *    64  config       112  as in the superblock; zero in a client's hello
 *   176  text_length    4  of the refusal's explanation
 *   180  text         300  UTF-8
 *   480  checksum      32  SHA-256 of bytes 0..479
 *
 * All integers little-endian. The connecting side speaks first; it is answered by a welcome or by a
 * refusal with its reason, after which the connection is closed. A client learns the configuration
 * from the welcome. This guards against mistakes, not malice.
 */
import { hash } from 'node:crypto';
import { PROTOCOL_VERSION, REPLICAS_MAX, type ClusterConfig } from '../core/constants.ts';
import { equalWords, isZeroWords, regionOf, type Region } from '../core/message/region.ts';
import { configFingerprint, decodeConfig, encodeConfig } from '../core/storage/superblock_layout.ts';

export const HANDSHAKE_SIZE = 512;
export const HANDSHAKE_MAGIC_SIZE = 8;
const MAGIC = new TextEncoder().encode('KMBLHELO');
const TEXT_MAX = 300;

export const HANDSHAKE_KIND = { hello: 1, welcome: 2, refused: 3 } as const;
export const HANDSHAKE_ROLE = { replica: 1, client: 2 } as const;
export type HandshakeRole = (typeof HANDSHAKE_ROLE)[keyof typeof HANDSHAKE_ROLE];
export const NOBODY = 255;

export const REFUSAL = {
  protocol: 1,
  cluster: 2,
  config: 3,
  /** The address leads to another replica than the sender believes. */
  addressee: 4,
  full: 5,
  malformed: 6,
} as const;

const AT = {
  protocol: 8,
  kind: 10,
  role: 11,
  replica: 12,
  addressee: 13,
  replicaCount: 14,
  reason: 15,
  cluster: 16,
  fingerprint: 32,
  config: 64,
  textLength: 176,
  text: 180,
  checksum: 480,
} as const;

/** What one side says of itself. */
export interface Identity {
  readonly role: HandshakeRole;
  /** Replica index, or NOBODY. */
  readonly replica: number;
  readonly replicaCount: number;
  /** 16 bytes; zero: any. */
  readonly cluster: Region;
  /** Null for a client that does not know it yet. */
  readonly config: ClusterConfig | null;
}

export interface Handshake extends Identity {
  readonly kind: number;
  readonly protocol: number;
  readonly addressee: number;
  readonly reason: number;
  readonly fingerprint: Region;
  readonly text: string;
}

export function encodeHandshake(
  kind: number,
  identity: Identity,
  addressee: number,
  reason = 0,
  text = '',
): Uint8Array {
  const region = regionOf(new Uint8Array(HANDSHAKE_SIZE));
  const { bytes, fields } = region;
  bytes.set(MAGIC);
  fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
  fields.setUint8(AT.kind, kind);
  fields.setUint8(AT.role, identity.role);
  fields.setUint8(AT.replica, identity.replica);
  fields.setUint8(AT.addressee, addressee);
  fields.setUint8(AT.replicaCount, identity.replicaCount);
  fields.setUint8(AT.reason, reason);
  bytes.set(identity.cluster.bytes.subarray(0, 16), AT.cluster);
  if (identity.config !== null) {
    encodeConfig(identity.config, region, AT.config);
    configFingerprint(identity.config, region, AT.fingerprint);
  }
  const encoded = new TextEncoder().encode(text).subarray(0, TEXT_MAX);
  fields.setUint32(AT.textLength, encoded.length, true);
  bytes.set(encoded, AT.text);
  bytes.set(hash('sha256', bytes.subarray(0, AT.checksum), 'buffer'), AT.checksum);
  return bytes;
}

/** True while the `count` bytes received so far can be the beginning of a handshake. */
export function handshakePossible(region: Region, count: number): boolean {
  const length = Math.min(count, HANDSHAKE_MAGIC_SIZE);
  for (let i = 0; i < length; i++) if (region.bytes[i] !== MAGIC[i]) return false;
  return true;
}

/** Null when the bytes are no handshake. A configuration that breaks our rules is none either. */
export function decodeHandshake(region: Region): Handshake | null {
  const { bytes, fields } = region;
  if (!handshakePossible(region, HANDSHAKE_SIZE)) return null;
  const checksum = hash('sha256', bytes.subarray(0, AT.checksum), 'buffer');
  if (!checksum.equals(bytes.subarray(AT.checksum, AT.checksum + 32))) return null;
  const textLength = fields.getUint32(AT.textLength, true);
  if (textLength > TEXT_MAX) return null;
  const role = fields.getUint8(AT.role);
  if (role !== HANDSHAKE_ROLE.replica && role !== HANDSHAKE_ROLE.client) return null;
  const replicaCount = fields.getUint8(AT.replicaCount);
  const configKnown = !isZeroWords(region, AT.fingerprint, 32);
  const config = configKnown ? decodeConfig(region, AT.config, AT.fingerprint) : null;
  if (configKnown && (config === null || replicaCount < 1 || replicaCount > REPLICAS_MAX)) return null;
  return {
    kind: fields.getUint8(AT.kind),
    protocol: fields.getUint16(AT.protocol, true),
    role,
    replica: fields.getUint8(AT.replica),
    addressee: fields.getUint8(AT.addressee),
    replicaCount,
    reason: fields.getUint8(AT.reason),
    cluster: regionOf(bytes.slice(AT.cluster, AT.cluster + 16)),
    fingerprint: regionOf(bytes.slice(AT.fingerprint, AT.fingerprint + 32)),
    config,
    text: new TextDecoder().decode(bytes.subarray(AT.text, AT.text + textLength)),
  };
}

/** True when a replica's handshake is of this configuration and replica count. */
export function sameConfig(handshake: Handshake, config: ClusterConfig, replicaCount: number): boolean {
  configFingerprint(config, scratch, 0);
  return handshake.replicaCount === replicaCount && equalWords(handshake.fingerprint, 0, scratch, 0, 32);
}

const scratch = regionOf(new Uint8Array(32));

export interface RefusalReason {
  readonly reason: number;
  readonly text: string;
}

/** Why `self` does not accept this hello, or null. `self` is a replica. */
export function refusalOf(self: Identity, hello: Handshake): RefusalReason | null {
  if (hello.kind !== HANDSHAKE_KIND.hello) return { reason: REFUSAL.malformed, text: 'expected a hello' };
  if (hello.protocol !== PROTOCOL_VERSION) {
    return {
      reason: REFUSAL.protocol,
      text: `protocol version ${hello.protocol}, this replica speaks ${PROTOCOL_VERSION}`,
    };
  }
  const anyCluster = hello.role === HANDSHAKE_ROLE.client && isZeroWords(hello.cluster, 0, 16);
  if (!anyCluster && !equalWords(hello.cluster, 0, self.cluster, 0, 16)) {
    return {
      reason: REFUSAL.cluster,
      text: `cluster ${clusterText(hello.cluster)}, this is ${clusterText(self.cluster)}`,
    };
  }
  if (hello.role === HANDSHAKE_ROLE.replica && self.config !== null) {
    if (!sameConfig(hello, self.config, self.replicaCount)) {
      return {
        reason: REFUSAL.config,
        text: 'another configuration or replica count than this cluster was formatted with',
      };
    }
  }
  if (hello.addressee !== NOBODY && hello.addressee !== self.replica) {
    return {
      reason: REFUSAL.addressee,
      text: `this is replica ${self.replica}, not ${hello.addressee}: check the order of --addresses`,
    };
  }
  return null;
}

/** 128-bit id, little-endian in bytes, as the number people write: decimal when short, else hex. */
export function clusterText(cluster: Region): string {
  let value = 0n;
  for (let i = 15; i >= 0; i--) value = (value << 8n) | BigInt(cluster.bytes[i] as number);
  return value < 0xffff_ffffn ? value.toString() : `0x${value.toString(16)}`;
}

/** Inverse of `clusterText`; null when it is no 128-bit number. */
export function parseCluster(text: string): Region | null {
  if (!/^(\d{1,39}|0x[\da-fA-F]{1,32})$/.test(text)) return null;
  let value = BigInt(text);
  if (value >= 1n << 128n) return null;
  const region = regionOf(new Uint8Array(16));
  for (let i = 0; i < 16; i++) {
    region.bytes[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  return region;
}
