/**
 * One client of the search: the real `Client` on explored ports, with a script of operations of
 * which the explorer begins one whenever the client is idle. Its pings are lost: they tell of views
 * only, as replies do.
 */
import { type ClusterConfig } from '../../../core/constants.ts';
import { encodeAppend, encodeCreateStream, encodeCreateTenant } from '../../../core/kernel/commands.ts';
import { KERNEL, streamId } from '../../../core/kernel/operations.ts';
import { COMMAND } from '../../../core/message/header.ts';
import { MessagePool, allocateAligned, type Message } from '../../../core/message/pool.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';
import { Client, type ClientListener } from '../../../core/vsr/client.ts';
import { EVENT_ID_SIZE, writeEventId } from '../../../invariants/invariant.ts';
import { CLIENT_RULES, CanonicalForm, NODE_PORTS } from './canonical.ts';
import { ChoiceRng } from './choice_rng.ts';
import { ExploredClock } from './explored_clock.ts';
import { type MessageStore } from './message_store.ts';
import { Recorder, SHOWN, copyOf } from './observations.ts';
import { OutPort } from './out_port.ts';
import { messageFrom } from './replica_node.ts';
import { STEP, argumentOf, kindOf, type ExploredNode, type NodeFacts, type Outcome } from './steps.ts';

const MESSAGES = 8;
const TENANT = 1;
const STREAM = streamId(TENANT, 1);
const PINGS: ReadonlySet<number> = new Set([COMMAND.pingClient]);

export interface ClientNodeOptions {
  readonly config: ClusterConfig;
  readonly cluster: Region;
  readonly replicaCount: number;
  /** From 0. */
  readonly client: number;
  /** Appends in its script; the first client's begins with making the stream. */
  readonly appends: number;
  readonly messages: MessageStore;
}

interface ScriptedOperation {
  readonly operation: number;
  readonly body: Uint8Array;
}

interface Root {
  client: Client;
  /** Operations begun. */
  begun: number;
  readonly listener: Listener;
  readonly pool: MessagePool;
  readonly clock: ExploredClock;
  readonly rng: ChoiceRng;
}

export class ClientNode implements ExploredNode {
  readonly node: number;
  readonly root: Root;
  /** Operations of the script that only prepare the ground. */
  readonly preparing: number;
  private readonly options: ClientNodeOptions;
  private readonly script: readonly ScriptedOperation[];
  private readonly port: OutPort;
  private readonly recorder = new Recorder();
  private readonly form = new CanonicalForm(CLIENT_RULES, NODE_PORTS);

  constructor(options: ClientNodeOptions) {
    const { config, cluster, replicaCount, client, messages } = options;
    this.options = options;
    this.node = replicaCount + client;
    const script = scriptOf(client, options.appends);
    this.script = script;
    this.preparing = script.length - options.appends;
    this.port = new OutPort(messages, this.recorder, this.node, replicaCount, PINGS);
    const clientId = regionOf(new Uint8Array(16));
    clientId.words[0] = client + 1; // The network finds the client by the first word.
    clientId.words[1] = 1;
    const pool = new MessagePool({
      smallCount: 0,
      smallSize: config.messageSizeMax,
      largeCount: MESSAGES,
      largeSize: config.messageSizeMax,
      allocate: allocateAligned,
    });
    const clock = new ExploredClock();
    const rng = new ChoiceRng();
    const listener = new Listener(this.recorder, client);
    const session = new Client({
      config, cluster, clientId, replicaCount, clock, network: this.port, rng, pool, listener,
    });
    this.root = { client: session, begun: 0, listener, pool, clock, rng };
  }

  perform(step: number, choices: readonly number[]): Outcome {
    const { root } = this;
    this.port.sent.length = 0;
    this.recorder.list.length = 0;
    root.rng.begin(choices);
    let thrown: Error | null = null;
    try {
      this.input(kindOf(step), argumentOf(step));
    } catch (error) {
      thrown = error instanceof Error ? error : new Error(String(error));
    }
    return { sent: this.port.sent, shown: this.recorder.list, thrown };
  }

  private input(kind: number, argument: number): void {
    const { client, clock, pool } = this.root;
    switch (kind) {
      case STEP.deliver: {
        const message = messageFrom(pool, this.options.messages.region(argument));
        client.onMessage(message);
        message.unref();
        return;
      }
      case STEP.timer:
        clock.fire(argument);
        return client.onTimer(argument);
      case STEP.start: return client.start();
      default: return this.call();
    }
  }

  private call(): void {
    const next = this.script[this.root.begun++] as ScriptedOperation;
    const { body, operation } = next;
    const message = regionOf(new Uint8Array((body.byteLength + 3) & ~3));
    message.bytes.set(body);
    this.recorder.add(SHOWN.called, this.options.client, operation, body.byteLength, { message });
    this.root.client.request(operation, body);
  }

  nextChoices(): number[] | null {
    return this.root.rng.next();
  }

  digest(): Uint32Array {
    const { form, root } = this;
    form.begin();
    form.sink.number(this.node);
    form.sink.number(root.begun);
    form.sink.number(root.clock.armed);
    form.add(root.client);
    return form.sink.digest();
  }

  facts(): NodeFacts {
    const { client, begun, clock } = this.root;
    return {
      up: true,
      mayStart: client.status === 'created',
      armed: clock.armed,
      io: false,
      unsynced: false,
      mayCall: client.idle && begun < this.script.length,
      begun,
      preparing: this.preparing,
      appends: this.options.appends,
      viewFloor: 0,
      logFloor: 0,
      leads: false,
      executed: 0,
      // Requests are numbered as they are begun; the register is number 0.
      requestFloor: client.idle ? begun + 1 : begun,
      viewKnown: client.view,
      written: null,
      durable: null,
      role: 'client',
      summary: `${client.idle ? 'idle' : 'waiting'}, ${begun} begun, knows view ${client.view}`,
    };
  }
}

function scriptOf(client: number, appends: number): readonly ScriptedOperation[] {
  const script: ScriptedOperation[] = [];
  if (client === 0) {
    script.push({ operation: KERNEL.createTenant, body: encodeCreateTenant(TENANT, 'tenant') });
    script.push({ operation: KERNEL.createStream, body: encodeCreateStream(TENANT, 'stream', 0) });
  }
  for (let serial = 0; serial < appends; serial++) {
    const event = new Uint8Array(EVENT_ID_SIZE);
    writeEventId(event, 0, client, serial);
    script.push({ operation: KERNEL.append, body: encodeAppend(TENANT, STREAM, [event]) });
  }
  return script;
}

class Listener implements ClientListener {
  private readonly recorder: Recorder;
  private readonly client: number;

  constructor(recorder: Recorder, client: number) {
    this.recorder = recorder;
    this.client = client;
  }

  clientRegistered(): void {}

  clientReply(_client: Client, message: Message): void {
    this.recorder.add(SHOWN.returned, this.client, 0, 0, { message: copyOf(message) });
  }

  clientEvicted(): void {
    this.recorder.add(SHOWN.abandoned, this.client);
  }
}
