/**
 * Operating errors: the world around the process is not as the operator meant it. Each says what
 * failed, where, and what to do, and ends a command with status 2. Codes are never reused.
 *
 * A replica that can no longer trust its own storage is another kind (`ReplicaFatal`), and so is a
 * bug (`AssertionFailure`); they end a server with statuses of their own.
 */
export const EXIT_STATUS = {
  ok: 0,
  /** Usage, or an operating error. */
  operating: 2,
  /** An assertion failed: a bug. (EX_SOFTWARE) */
  bug: 70,
  /** The replica cannot go on: its durable state or its storage failed. (EX_IOERR) */
  fatal: 74,
} as const;

export type OperatingErrorCode =
  | 'address-invalid'
  | 'address-in-use'
  | 'address-unavailable'
  | 'addresses-count'
  | 'cluster-mismatch'
  | 'config-mismatch'
  | 'connect-failed'
  | 'data-file-exists'
  | 'data-file-locked'
  | 'data-file-missing'
  | 'data-file-truncated'
  | 'data-file-unreadable'
  | 'disk-full'
  | 'io'
  | 'not-formatted'
  | 'client-closed'
  | 'peer-mismatch'
  | 'protocol-mismatch'
  | 'reply-damaged'
  | 'request-aborted'
  | 'request-invalid'
  | 'request-refused'
  | 'request-timeout'
  | 'session-lost'
  | 'usage';

export class OperatingError extends Error {
  override readonly name: string = 'OperatingError';
  readonly code: OperatingErrorCode;
  /** The file, address or option concerned. */
  readonly where: string;
  /** What the operator can do about it. */
  readonly advice: string;
  readonly exitStatus: number = EXIT_STATUS.operating;

  /** The message reads `<what>; <advice>`; `what` names `where` already. */
  constructor(code: OperatingErrorCode, where: string, what: string, advice: string, cause?: unknown) {
    super(`${what}; ${advice}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.where = where;
    this.advice = advice;
  }
}

/** The data file: missing, locked, truncated, of another cluster, on a full disk. */
export class DataFileError extends OperatingError {
  override readonly name = 'DataFileError';
}

/** An address: malformed, in use, of another cluster. */
export class AddressError extends OperatingError {
  override readonly name = 'AddressError';
}

/**
 * A request to the cluster that did not return its result. `indeterminate` is false: it is certain
 * that the request had no effect. For the other case see `IndeterminateError`.
 */
export class RequestError extends OperatingError {
  override readonly name: string = 'RequestError';
  /** True: the request may have been executed, may yet be, or never. */
  readonly indeterminate: boolean = false;
  /** Result the cluster gave, for `request-refused`: a name of RESULT in core/kernel/operations.ts. */
  readonly result: string;
  /** A number that goes with the result: for `unexpected_stream_offset` the stream's next offset. */
  readonly detail: number;
  /** The same request may succeed later. */
  readonly retryable: boolean;

  constructor(
    code: OperatingErrorCode,
    where: string,
    what: string,
    advice: string,
    more: { result?: string; detail?: number; retryable?: boolean; cause?: unknown } = {},
  ) {
    super(code, where, what, advice, more.cause);
    this.result = more.result ?? '';
    this.detail = more.detail ?? 0;
    this.retryable = more.retryable ?? false;
  }
}

/**
 * The outcome is unknown: the request was sent, and its result will not be learnt. Repeat it with
 * the same idempotency id, or read to find out.
 */
export class IndeterminateError extends RequestError {
  override readonly name = 'IndeterminateError';
  override readonly indeterminate = true;
}

/** `errno` name of a system error, or ''. */
export function errnoOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return '';
}

/** A system error on the data file in the operator's terms. `doing` reads like `open`. */
export function dataFileError(doing: string, path: string, error: unknown): DataFileError {
  const what = `Cannot ${doing} "${path}"`;
  switch (errnoOf(error)) {
    case 'ENOENT':
      return new DataFileError('data-file-missing', path, `${what}: no such file or directory`,
        'check the path, or make the file with "kmb format"', error);
    case 'EEXIST':
      return new DataFileError('data-file-exists', path, `${what}: it exists already`,
        'choose another path, or remove the file if its data is not needed', error);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new DataFileError('data-file-unreadable', path, `${what}: permission denied`,
        'give this user read and write access to the file and its directory', error);
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new DataFileError('disk-full', path, `${what}: no space left on the device`,
        'free space or choose another disk; nothing was acknowledged that is not stored', error);
    default:
      return new DataFileError('io', path,
        `${what}: ${error instanceof Error ? error.message : String(error)}`,
        'check the disk and the system log', error);
  }
}
