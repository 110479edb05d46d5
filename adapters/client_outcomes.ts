/**
 * The errors of the client's calls: what was refused before it was sent, what the cluster refused,
 * and what nobody knows.
 */
import { nameProblem } from '../core/kernel/commands.ts';
import { RESULT, kernelOperationName, resultName, resultRetryable } from '../core/kernel/operations.ts';
import { type Job } from './client_session.ts';
import { type CommandCallOptions } from './client_types.ts';
import { IndeterminateError, RequestError, type OperatingErrorCode } from './errors.ts';

/** A write that was sent and is given up has an unknown outcome; anything else had no effect. */
export function outcome(
  job: Job,
  code: OperatingErrorCode,
  why: string,
  advice: string,
  cause?: unknown,
): RequestError {
  if (job.sent && !job.query) {
    return new IndeterminateError(
      code,
      job.name,
      `The outcome of ${job.name} is unknown: ${why}`,
      `${advice}; read to find out, or repeat it with the same idempotency id`,
      { cause },
    );
  }
  const what = job.query ? `${job.name} was not answered: ${why}` : `${job.name} was not sent: ${why}`;
  return new RequestError(code, job.name, what, advice, { retryable: true, cause });
}

export function refused(operation: number, code: number, detail: number): RequestError {
  const name = kernelOperationName(operation);
  const result = resultName(code);
  const number = detail === 0 && code !== RESULT.unexpected_stream_offset ? '' : ` (${detail})`;
  const retryable = resultRetryable(code);
  return new RequestError('request-refused', name, `${name} was refused: ${result}${number}`,
    retryable ? 'try again later' : 'nothing was changed', { result, detail, retryable });
}

/** The reply passed the network's checksums and still makes no sense: not the network's fault. */
export function damaged(name: string, part: string): RequestError {
  return new RequestError('reply-damaged', name, `The reply to ${name} is damaged: ${part}`,
    'inspect the replicas; this is data corruption or a bug');
}

export function checkName(name: string): void {
  const problem = nameProblem(name);
  if (problem !== null) {
    throw new RequestError(
      'request-invalid',
      name,
      `Cannot use name "${name}": ${problem}`,
      'choose another name',
    );
  }
}

export function checkNumber(what: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new RequestError(
    'request-invalid',
    what,
    `Cannot use ${value} as ${what}`,
    'give a whole number, not negative',
  );
}

export function idOf(options: CommandCallOptions): { idempotencyId?: Uint8Array } {
  const { idempotencyId } = options;
  if (idempotencyId === undefined) return {};
  if (idempotencyId.byteLength !== 16) {
    throw new RequestError(
      'request-invalid',
      'idempotencyId',
      `Cannot use an idempotency id of ${idempotencyId.byteLength} bytes`,
      'give 16 bytes',
    );
  }
  return { idempotencyId };
}
