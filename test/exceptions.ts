/**
 * The only files that may break a rule of layers.test.ts or tidy.test.ts, each with its reason.
 * An entry that no code needs any more fails its test, so the list cannot grow stale.
 */
export interface Exception {
  readonly file: string;
  /** For layers: the import specifier. For tidy: the name of the rule. */
  readonly what: readonly string[];
  readonly reason: string;
}

export const LAYER_EXCEPTIONS: readonly Exception[] = [
  {
    file: 'cli/vopr/own_system.ts',
    what: ['(computed)'],
    reason: "a user's own system is a module that the command line names",
  },
  {
    file: 'cli/page/page_script.ts',
    what: ['esbuild'],
    reason: 'only a checkout bundles the page; the published package carries the result',
  },
];

export const TIDY_EXCEPTIONS: readonly Exception[] = [];

/** Collects what was used, so that a test can name the entries nothing needs. */
export class ExceptionUse {
  private readonly list: readonly Exception[];
  private readonly used = new Set<string>();

  constructor(list: readonly Exception[]) {
    this.list = list;
  }

  /** True when `file` may do `what`; remembers that it did. */
  allows(file: string, what: string): boolean {
    if (!this.list.some((e) => e.file === file && e.what.includes(what))) return false;
    this.used.add(`${file}: ${what}`);
    return true;
  }

  stale(): string[] {
    const keys = this.list.flatMap((e) => e.what.map((what) => `${e.file}: ${what}`));
    return keys.filter((key) => !this.used.has(key));
  }
}
