/**
 * Keeps one outgoing connection up: connects, shakes hands, and connects again after a jittered,
 * growing pause whenever the connection ends. Used between replicas and by clients.
 */
import { connect, type Socket } from 'node:net';
import { type Region } from '../core/message/region.ts';
import { type Message } from '../core/message/pool.ts';
import { type Rng } from '../core/ports.ts';
import { addressText, type Address } from './addresses.ts';
import { FramedConnection, type ConnectionOwner, type FrameRules, type WriteScratch } from './framing.ts';
import {
  HANDSHAKE_KIND,
  decodeHandshake,
  encodeHandshake,
  type Handshake,
  type Identity,
} from './handshake.ts';

const RECONNECT_MILLIS_MIN = 50;
const RECONNECT_MILLIS_MAX = 1000;
const HANDSHAKE_MILLIS = 5000;
const READ_BUFFER_SIZE = 256 << 10;

/** Bytes are copied out of it before a read callback returns, so all sockets share one. */
let readBuffer: Buffer | null = null;

export interface DialerUser {
  /** The other side said welcome. Rules to go on with, or why we do not want it. */
  dialed(dialer: Dialer, welcome: Handshake): FrameRules | string;
  frameReceived(connection: FramedConnection, message: Message): void;
  flushWanted(connection: FramedConnection): void;
  /** An open connection ended. */
  lost(dialer: Dialer, connection: FramedConnection, reason: string): void;
  /** An attempt failed. `refusal`: the other side's REFUSAL code, 0 when it did not answer. */
  dialFailed(dialer: Dialer, problem: string, refusal: number): void;
}

export interface DialerOptions {
  readonly address: Address;
  /** Identity to present; its addressee. */
  readonly identity: Identity;
  readonly addressee: number;
  readonly user: DialerUser;
  readonly scratch: WriteScratch;
  readonly rng: Rng;
}

export class Dialer implements ConnectionOwner {
  readonly address: Address;
  /** Open and shaken hands, or null. */
  connection: FramedConnection | null = null;
  /** Connecting or shaking hands. */
  opening: FramedConnection | null = null;
  private readonly options: DialerOptions;
  private timer: NodeJS.Timeout | null = null;
  private attempts = 0;
  private refusal = 0;
  private problem = '';
  private stopped = false;

  constructor(options: DialerOptions) {
    this.options = options;
    this.address = options.address;
  }

  start(): void {
    if (this.stopped) return;
    readBuffer ??= Buffer.allocUnsafeSlow(READ_BUFFER_SIZE);
    this.refusal = 0;
    this.problem = '';
    const socket: Socket = connect({
      host: this.address.host,
      port: this.address.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 5000,
      onread: {
        buffer: readBuffer,
        callback: (count, buffer) => {
          connection.onBytes(buffer, count);
          return true;
        },
      },
    });
    const connection = new FramedConnection(socket, this, this.options.scratch, false);
    this.opening = connection;
    socket.once('connect', () => {
      const { identity, addressee } = this.options;
      connection.sendRaw(encodeHandshake(HANDSHAKE_KIND.hello, identity, addressee));
    });
    this.timer = setTimeout(() => connection.close('no answer in time'), HANDSHAKE_MILLIS);
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer();
    this.opening?.close('stopped');
    this.connection?.close('stopped');
  }

  // --- ConnectionOwner ---

  handshakeReceived(connection: FramedConnection, bytes: Region): void {
    const answer = decodeHandshake(bytes);
    if (answer === null) {
      this.problem = 'it answered with something else than a handshake; is another program listening there?';
      connection.close(this.problem);
      return;
    }
    if (answer.kind !== HANDSHAKE_KIND.welcome) {
      this.refusal = answer.reason;
      this.problem = `refused: ${answer.text}`;
      connection.close(this.problem);
      return;
    }
    const rules = this.options.user.dialed(this, answer);
    if (typeof rules === 'string') {
      this.problem = rules;
      connection.close(rules);
      return;
    }
    this.cancelTimer();
    this.opening = null;
    this.connection = connection;
    this.attempts = 0;
    connection.open(rules);
  }

  frameReceived(connection: FramedConnection, message: Message): void {
    this.options.user.frameReceived(connection, message);
  }

  flushWanted(connection: FramedConnection): void {
    this.options.user.flushWanted(connection);
  }

  connectionClosed(connection: FramedConnection, reason: string): void {
    const wasOpen = connection === this.connection;
    if (wasOpen) this.connection = null;
    else if (connection === this.opening) this.opening = null;
    else return;
    this.cancelTimer();
    if (!this.stopped) this.timer = setTimeout(() => this.start(), this.pause());
    if (wasOpen) this.options.user.lost(this, connection, reason);
    else this.options.user.dialFailed(this, this.problem === '' ? reason : this.problem, this.refusal);
  }

  get text(): string {
    return addressText(this.address);
  }

  private pause(): number {
    // A refusal does not go away by itself: no need to hurry.
    if (this.refusal !== 0) return RECONNECT_MILLIS_MAX;
    const range = Math.min(
      RECONNECT_MILLIS_MAX - RECONNECT_MILLIS_MIN,
      RECONNECT_MILLIS_MIN * 2 ** Math.min(this.attempts, 10),
    );
    this.attempts++;
    return RECONNECT_MILLIS_MIN + this.options.rng.below(range + 1);
  }

  private cancelTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
