/**
 * A client of a system of one's own: its operations one after another, with rests between them. The
 * system says what an operation is and how one is carried out; the loop, the omissions of the
 * minimiser and the history that checkers see are here.
 */
import { type PlainData } from '../../bundles/format.ts';
import { assert } from '../../core/assert.ts';
import { type Caller, type CallerPorts } from '../../core/component.ts';
import { type Message } from '../../core/message/pool.ts';
import { DOMAIN } from '../decide.ts';
import { FAMILY } from '../identity.ts';
import { processRng } from '../ports/sim_rng.ts';
import { type ClientOptions, type ClientProcess } from '../system.ts';
import { Draw } from './draw.ts';
import { OMITTED_STRIDE } from './operations.ts';


/** How a system's clients come about. */
export interface CallerFactory<Operation, Answer> {
  createCaller(options: CallerPorts<Answer>): Caller<Operation>;
  operation(draw: Draw): Operation;
}

export class CallLoop<Operation extends PlainData, Answer extends PlainData> implements ClientProcess {
  stopped = false;
  finished = false;
  private readonly options: ClientOptions;
  private readonly factory: CallerFactory<Operation, Answer>;
  private readonly caller: Caller<Operation>;
  /** Of the next operation. */
  private index = 0;
  private open = false;
  /** For the caller's messages: `index` of the open or last operation, from 1. */
  private readonly at = { operation: 0 };

  constructor(options: ClientOptions, factory: CallerFactory<Operation, Answer>) {
    const { plan, client, clock, network, pool, cluster } = options;
    const node = plan.replicaCount + client;
    this.options = options;
    this.factory = factory;
    this.caller = factory.createCaller({
      config: plan.config,
      cluster,
      replicaCount: plan.replicaCount,
      settings: plan.settings ?? null,
      client,
      node,
      clock,
      network,
      pool,
      at: this.at,
      rng: processRng(plan.seedWords, node, 0),
      answer: (answer) => this.answered(answer),
      abandon: () => this.abandoned(),
    });
  }

  get settled(): boolean {
    return !this.open;
  }

  start(): void {
    this.rest();
  }

  begin(): void {
    if (this.stopped || this.open) return;
    const { plan, client, decisions, host } = this.options;
    const { operationsPerClient, omitted } = plan.workload;
    while (omitted.includes(client * OMITTED_STRIDE + this.index)) this.index++;
    if (this.index >= operationsPerClient) {
      this.finished = true;
      return;
    }
    const operation = this.factory.operation(new Draw(decisions, client, this.index));
    this.index++;
    this.at.operation = this.index;
    this.open = true;
    host.clientInvoked(client, operation);
    this.caller.call(operation);
  }

  onMessage(message: Message): void {
    this.caller.onMessage(message);
  }

  onTimer(timer: number): void {
    this.caller.onTimer(timer);
  }

  private answered(answer: Answer): void {
    const { host, client, counters } = this.options;
    assert(this.open, 'client: answers a call that is not open', client);
    this.open = false;
    counters.replies++;
    host.clientAnswered(client, answer);
    this.rest();
  }

  private abandoned(): void {
    const { host, client } = this.options;
    assert(this.open, 'client: abandons a call that is not open', client);
    this.open = false;
    host.clientAbandoned(client);
    this.rest();
  }

  private rest(): void {
    const { plan, client, decisions, host } = this.options;
    const { thinkMicros, idlePpm, idleMicros } = plan.workload;
    const key = decisions.key(FAMILY.rest, client, this.index, 0, 0, 0, 0);
    const [domain, [min, max]] = decisions.chance(key, DOMAIN.idle, idlePpm)
      ? [DOMAIN.idle, idleMicros] as const
      : [DOMAIN.think, thinkMicros] as const;
    host.clientRests(client, decisions.between(key, domain, min, max));
  }
}
