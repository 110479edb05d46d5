/**
 * The lines of a ledger (see ledger.ts), and the way from text that anyone may have written to a
 * typed record, or to the reason why it is none. Fields that are not known here are left alone:
 * later versions may add some.
 */
import { type BundleCode } from '../../bundles/format.ts';
import { positionOf, shardOf } from '../../sim/search/campaign.ts';
import { type CampaignSummary } from '../../sim/search/campaign_summary.ts';
import { type SeedViolation } from '../../sim/search/seed_result.ts';
import { type CanaryInfo, type RunScope } from '../render/report.ts';
import {
  amount, counts, digest, flag, inWords, list, map, optional, orNull, text, time, whole,
  type Check,
} from './check_json.ts';

export const LEDGER_SCHEMA = 1;

interface Line {
  readonly schema: typeof LEDGER_SCHEMA;
  /** Wall time, ISO 8601 in UTC with milliseconds. */
  readonly at: string;
  /** Id of the campaign: one scenario in one run of the program. */
  readonly campaign: string;
}

/** What was asked for. Equal but for shard, early, jobs, id and time: parts of one campaign. */
export interface CampaignStarted extends Line, RunScope {
  readonly kind: 'started';
  readonly scenario: string;
  /** Seeds of the shard that ran before the others. */
  readonly early: readonly number[];
  readonly canary: CanaryInfo | null;
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

// --- What each line has ---

const violation = {
  seed: whole(0),
  invariant: text,
  message: text,
  event: whole(0),
  virtualMicros: amount,
  replicas: list(whole(0)),
};
export const checkCode = map({ version: text, commit: text, node: text, module: optional(text) });
const limits = map({ events: orNull(whole(1)), micros: orNull(whole(1)) });
export const checkCanary = orNull(map({ name: text, checker: text }));

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

/** Of a `RunScope`. */
const scopeFields = {
  seeds: map({ first: whole(0), count: whole(0) }),
  shard: map({ index: whole(1), shards: whole(1) }),
  limits,
  checkDeterminism: flag,
};

const checkStarted = map({
  scenario: text,
  ...scopeFields,
  early: list(whole(0)),
  canary: checkCanary,
  keepGoing: flag,
  jobs: whole(1),
  code: checkCode,
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
  if (problem !== null) return { damage: inWords(problem, 'the line') };
  const line = value as LedgerLine;
  if (line.schema !== LEDGER_SCHEMA) return { unknown: `schema ${line.schema}` };
  if (!Object.hasOwn(LINES, line.kind)) return { unknown: `kind "${line.kind}"` };
  const wrong = LINES[line.kind](line);
  return wrong === null ? { line } : { damage: inWords(wrong, 'the line') };
}
