/**
 * The lines of a ledger (see ledger.ts), and the way from text that anyone may have written to a
 * typed record, or to the reason why it is none. Fields that are not known here are left alone:
 * later versions may add some.
 */
import { type BundleCode } from '../../bundles/format.ts';
import { positionOf, shardOf } from '../../sim/search/campaign.ts';
import { type CampaignSummary } from '../../sim/search/campaign_summary.ts';
import { type SeedLimits, type SeedViolation } from '../../sim/search/seed_result.ts';
import { type CanaryInfo } from '../render/report.ts';

export const LEDGER_SCHEMA = 1;

interface Line {
  readonly schema: typeof LEDGER_SCHEMA;
  /** Wall time, ISO 8601 in UTC with milliseconds. */
  readonly at: string;
  /** Id of the campaign: one scenario in one run of the program. */
  readonly campaign: string;
}

/** What was asked for. Equal but for shard, early, jobs, id and time: parts of one campaign. */
export interface CampaignStarted extends Line {
  readonly kind: 'started';
  readonly scenario: string;
  /** Of the whole campaign, before it was divided into shards. */
  readonly seeds: { readonly first: number; readonly count: number };
  /** 1 of 1: not divided. */
  readonly shard: { readonly index: number; readonly shards: number };
  /** Seeds of the shard that ran before the others. */
  readonly early: readonly number[];
  readonly canary: CanaryInfo | null;
  readonly limits: SeedLimits;
  readonly checkDeterminism: boolean;
  readonly keepGoing: boolean;
  readonly jobs: number;
  readonly code: BundleCode;
}

export interface SeedFailed extends Line, SeedViolation {
  readonly kind: 'failure';
  readonly seed: number;
  /** See sim/search/signature.ts. */
  readonly signature: string;
  /** As it was given to `vopr run`; null: not written. */
  readonly bundle: string | null;
}

export interface CampaignEnded extends Line {
  readonly kind: 'ended';
  /** True: stopped from outside. A campaign that its first violation ended is not interrupted. */
  readonly interrupted: boolean;
  /** Of the seeds whose results were taken: the first `count` in the order in which they ran. */
  readonly summary: CampaignSummary;
  /** Of `summary.violations`, in their order. */
  readonly bundles: readonly (string | null)[];
  readonly wallSeconds: number;
}

export type LedgerLine = CampaignStarted | SeedFailed | CampaignEnded;
/** Without what every line has. */
export type LedgerEntry =
  | Omit<CampaignStarted, keyof Line>
  | Omit<SeedFailed, keyof Line>
  | Omit<CampaignEnded, keyof Line>;

// --- Checks ---

/** Returns what is wrong with a value, or null; the words follow its name. */
type Check = (value: unknown) => string | null;

const text: Check = (value) => (typeof value === 'string' ? null : 'must be text');
const flag: Check = (value) => (typeof value === 'boolean' ? null : 'must be true or false');
const time: Check = (value) =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value) &&
  !Number.isNaN(Date.parse(value))
    ? null
    : 'must be a time in UTC';
const whole = (min: number): Check => (value) =>
  Number.isSafeInteger(value) && (value as number) >= min ? null : `must be a whole number, at least ${min}`;
const amount: Check = (value) =>
  typeof value === 'number' && value >= 0 && Number.isFinite(value) ? null : 'must be a number, at least 0';
const digest: Check = (value) =>
  typeof value === 'string' && /^[0-9a-f]{32}$/.test(value) ? null : 'must be 32 hexadecimal digits';

function orNull(check: Check): Check {
  return (value) => (value === null ? null : check(value));
}

function optional(check: Check): Check {
  return (value) => (value === undefined ? null : check(value));
}

function list(check: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return 'must be a list';
    for (let i = 0; i < value.length; i++) {
      const problem = check(value[i]);
      if (problem !== null) return nested(`[${i}]`, problem);
    }
    return null;
  };
}

const counts: Check = (value) => {
  if (!isMap(value)) return 'must be a map';
  for (const key of Object.keys(value)) {
    const problem = amount(value[key]);
    if (problem !== null) return nested(`.${key}`, problem);
  }
  return null;
};

function map(fields: Readonly<Record<string, Check>>): Check {
  return (value) => {
    if (!isMap(value)) return 'must be a map';
    for (const key of Object.keys(fields)) {
      const problem = (fields[key] as Check)(value[key]);
      if (problem !== null) return nested(`.${key}`, problem);
    }
    return null;
  };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `.a` and `.b must be text` -> `.a.b must be text`. */
function nested(step: string, problem: string): string {
  return /^[.[]/.test(problem) ? `${step}${problem}` : `${step} ${problem}`;
}

// --- What each line has ---

const violation = {
  seed: whole(0),
  invariant: text,
  message: text,
  event: whole(0),
  virtualMicros: amount,
  replicas: list(whole(0)),
};
const code = map({ version: text, commit: text, node: text, module: optional(text) });
const limits = map({ events: orNull(whole(1)), micros: orNull(whole(1)) });
const canary = orNull(map({ name: text, checker: text }));

const share = map({ gate: text, sharePpm: amount, met: amount, missed: list(whole(0)) });

/** Of a `CampaignSummary`. */
export const checkSummary: Check = map({
  scenario: text,
  first: whole(0),
  count: whole(0),
  passed: whole(0),
  violations: list(map(violation)),
  vacuous: list(whole(0)),
  unmet: counts,
  shares: list(share),
  events: amount,
  messages: amount,
  storageOps: amount,
  commits: amount,
  viewChanges: amount,
  crashes: amount,
  virtualMicros: amount,
  checks: counts,
  gates: counts,
  faults: counts,
  probes: counts,
  canaryReached: amount,
  digest,
});

const checkEnded = map({
  interrupted: flag,
  summary: checkSummary,
  bundles: list(orNull(text)),
  wallSeconds: amount,
});

function checkBundles({ bundles, summary }: CampaignEnded): string | null {
  const violations = summary.violations.length;
  return bundles.length === violations ? null : `.bundles must be a list of ${violations}`;
}

const checkStarted = map({
  scenario: text,
  seeds: map({ first: whole(0), count: whole(0) }),
  shard: map({ index: whole(1), shards: whole(1) }),
  early: list(whole(0)),
  canary,
  limits,
  checkDeterminism: flag,
  keepGoing: flag,
  jobs: whole(1),
  code,
});

function checkSeeds({ seeds, shard, early }: CampaignStarted): string | null {
  if (shard.index > shard.shards) return `.shard.index must be at most ${shard.shards}`;
  const range = shardOf(seeds.first, seeds.count, shard.index, shard.shards);
  const stranger = early.find((seed) => positionOf(range, seed) === null);
  return stranger === undefined ? null : `.early must not have ${stranger}: it is no seed of the campaign`;
}

const LINES: Readonly<Record<LedgerLine['kind'], Check>> = {
  started: (value) => checkStarted(value) ?? checkSeeds(value as CampaignStarted),
  failure: map({ ...violation, signature: text, bundle: orNull(text) }),
  ended: (value) => checkEnded(value) ?? checkBundles(value as CampaignEnded),
};

const FRAME = map({ schema: whole(1), kind: text, at: time, campaign: text });

export type ParsedLine =
  | { readonly line: LedgerLine }
  /** Of a later version: `kind "progress"`, or `schema 2`. */
  | { readonly unknown: string }
  | { readonly damage: string };

export function parseLedgerLine(source: string): ParsedLine {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    return { damage: 'not a line of JSON' };
  }
  const problem = FRAME(value);
  if (problem !== null) return { damage: inWords(problem) };
  const line = value as LedgerLine;
  if (line.schema !== LEDGER_SCHEMA) return { unknown: `schema ${line.schema}` };
  if (!Object.hasOwn(LINES, line.kind)) return { unknown: `kind "${line.kind}"` };
  const wrong = LINES[line.kind](line);
  return wrong === null ? { line } : { damage: inWords(wrong) };
}

/** `.seeds.first must be text` -> `"seeds.first" must be text`. */
function inWords(problem: string): string {
  const match = /^\.(\S+) (must .*)$/.exec(problem);
  return match === null ? `the line ${problem}` : `"${match[1]}" ${match[2]}`;
}
