/**
 * reply_consistency: one (client, request) has one reply.
 *
 * Every replica computes the same reply bytes for an op, at every execution; and each reply that
 * is put on the wire, first or resent, by any replica and after any view change, belongs to the
 * prepare of its op: same client, request number, request checksum, timestamp, and the same body.
 */
import { HEADER_SIZE } from '../core/constants.ts';
import { AT, OPERATION, opOf, operationOf, requestOf } from '../core/message/header.ts';
import { equalWords, type Region } from '../core/message/region.ts';
import { Fingerprint } from './fingerprint.ts';
import { sizeWithin } from './history.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';

export class ReplyConsistency implements Checker {
  readonly id = 'reply_consistency';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  private readonly fingerprint = new Fingerprint();

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
  }

  onCommitted(node: number, op: number, _prepare: Region, reply: Region | null): void {
    const history = this.observed.history;
    if (reply === null || history.first || op > history.opMax) return;
    this.comparisons++;
    this.compareBody(node, op, reply, history.reply);
  }

  onReplySent(node: number, reply: Region): void {
    const history = this.observed.history;
    const op = opOf(reply);
    if (op < 1 || op > history.opMax) {
      this.context.fail(
        this.id,
        `R${node} sent a reply of op ${op}, but only ${history.opMax} ops have committed`,
      );
      return;
    }
    this.comparisons++;
    const headers = history.headers;
    const at = history.headerAt(op);
    const wrong =
      requestOf(reply) !== requestOf(headers, at) ? 'request number'
      : operationOf(reply) !== operationOf(headers, at) ? 'operation'
      : !equalWords(reply, AT.client, headers, at + AT.client, 16) ? 'client'
      : !equalWords(reply, AT.timestamp, headers, at + AT.timestamp, 8) ? 'timestamp'
      : !equalWords(reply, AT.replyRequestChecksum, headers, at + AT.requestChecksum, 32) ?
        'request checksum'
      : null;
    if (wrong !== null) {
      this.context.fail(
        this.id,
        `R${node} sent a reply of op ${op} whose ${wrong} is not that of the committed prepare`,
      );
      return;
    }
    // A session's register answers with limits of its own; its identity was compared above.
    if (operationOf(reply) === OPERATION.register && history.replySize[op] === 0) return;
    const size = sizeWithin(reply);
    this.compareBody(node, op, reply, this.fingerprint.of(reply, HEADER_SIZE, size - HEADER_SIZE));
  }

  private compareBody(node: number, op: number, reply: Region, body: Fingerprint): void {
    const history = this.observed.history;
    if (history.replySize[op] === 0) return;
    const size = sizeWithin(reply);
    const same =
      size === history.replySize[op] &&
      body.low === history.replies[op * 2] &&
      body.high === history.replies[op * 2 + 1];
    if (!same) {
      this.context.fail(
        this.id,
        `R${node} answered op ${op} with ${size} bytes that differ from the first reply ` +
          `of ${history.replySize[op] as number} bytes`,
      );
    }
  }
}
