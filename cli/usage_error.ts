/** What was asked cannot be done as asked. Says what, where and what to do; exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const EXIT = { passed: 0, violation: 1, usage: 2, vacuous: 3, otherFailure: 125 } as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];
