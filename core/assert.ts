/**
 * Assertions guard what this program believes of itself. They stay on in production.
 *
 * What a peer or a client sends, or a disk returns, is never asserted on: it is refused with a
 * counted reason. A message is fixed text plus up to two numbers, so a passing check costs a few
 * nanoseconds and no string is built.
 */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}

/**
 * The replica cannot go on: its own durable state contradicts itself, or its storage failed in a
 * way that must not be retried (a failed sync). Production exits; the simulator restarts the node
 * when it injected the fault, and reports a violation when it did not.
 */
export class ReplicaFatal extends Error {
  override readonly name = 'ReplicaFatal';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export function assert(
  condition: boolean,
  message: string,
  a?: number,
  b?: number,
): asserts condition {
  if (!condition) fail(message, a, b);
}

function fail(message: string, a?: number, b?: number): never {
  let text = message;
  if (a !== undefined) text += ` (${a}`;
  if (b !== undefined) text += `, ${b}`;
  if (a !== undefined) text += ')';
  throw new AssertionFailure(text);
}

/** For the arm of an exhaustive switch that the type checker proves empty. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${String(value)}`);
}
