/** What `vopr repro` says: the recorded failure, the one of now, and where the two runs part. */
import { type Bundle, type BundleCode } from '../../bundles/format.ts';
import { decisionText } from '../../bundles/decision_text.ts';
import { type Drift, type Mismatch } from '../../sim/search/drift.ts';
import { type BundleReplay } from '../../sim/search/replay_bundle.ts';
import { type SeedViolation } from '../../sim/search/seed_result.ts';
import { counted, grouped } from '../numbers.ts';

const MISMATCHES: Readonly<Record<Mismatch, string>> = {
  'only now': 'asked here, not in the recorded run',
  'only then': 'asked in the recorded run, never here',
  otherwise: 'decided otherwise here',
};

export function reproText(name: string, bundle: Bundle, run: BundleReplay, here: BundleCode): string {
  const { code, failure } = bundle;
  const { replay } = run;
  const { violation } = replay.result;
  const lines = [
    bundleTitle(name, bundle),
    `  recorded   ${failureText(failure)}`,
    `             by kimberlite ${code.version}, commit ${code.commit}, Node ${code.node}`,
    violation === null
      ? `  now        no violation in ${counted(replay.result.events, 'event')}`
      : `  now        ${failureText(violation)}`,
    `  digests    ${digestText(bundle, run, here)}`,
    ...driftLines(bundle, run),
  ];
  if (replay.lastEvents.length > 0) {
    lines.push(`  last ${counted(replay.lastEvents.length, 'event')}`);
    for (const event of replay.lastEvents) lines.push(`    ${event}`);
  }
  lines.push(run.outcome);
  return `${lines.join('\n')}\n`;
}

export function bundleTitle(name: string, bundle: Bundle): string {
  const canary = bundle.canary === null ? '' : `, canary ${bundle.canary}`;
  return `${name}: scenario ${bundle.scenario}, seed ${bundle.seed}${canary}`;
}

export function failureText(failure: SeedViolation): string {
  const at = (failure.virtualMicros / 1e6).toFixed(6);
  return `${failure.invariant} at event ${grouped(failure.event)}, ${at} s virtual: ${failure.message}`;
}

function digestText(bundle: Bundle, { replay, way }: BundleReplay, here: BundleCode): string {
  if (way === 'lock step') return 'compared between two runs in lock step';
  const { departure } = replay;
  if (departure === null) {
    const with_ = way === 'identity' ? ', with its decisions held to' : '';
    return `as recorded, at each of ${counted(bundle.events, 'event')}${with_}`;
  }
  const same = bundle.code.version === here.version && bundle.code.commit === here.commit;
  const why = same ? '' : `; this is commit ${here.commit}, Node ${here.node}`;
  const { event, happened } = departure;
  if (event > bundle.events) {
    return `as recorded up to event ${grouped(bundle.events)}, its last; this run goes on: ${happened}${why}`;
  }
  const what = happened ?? 'this run ended before it';
  return `depart at event ${grouped(event)} of ${grouped(bundle.events)}: ${what}${why}`;
}

function driftLines(bundle: Bundle, { drift, way, replay }: BundleReplay): string[] {
  if (way === 'exact' || way === 'lock step') return [];
  if (drift === null) return ['  decisions  none recorded: the bundle is of schema 1, its plan was run'];
  const held = way === 'identity' ? 'held to by identity' : 'not held to: the plan alone comes closer';
  const lines = [
    `  decisions  ${held}; ${grouped(drift.matched)} of ${grouped(drift.recorded)} as recorded` +
      `${drift.otherwise === 0 ? '' : `, ${grouped(drift.otherwise)} decided otherwise`}, ` +
      `${grouped(drift.onlyThen)} never asked, ${grouped(drift.onlyNow)} asked for the first time`,
  ];
  if (drift.first === null) {
    if (replay.departure !== null) lines.push('             each recorded decision was asked, and no other');
    return lines;
  }
  const { why, decision } = drift.first;
  lines.push(
    `             the first that does not match, at event ${grouped(decision.event)}: ` +
      `${inWords(drift.first, bundle)} (${MISMATCHES[why]})`,
  );
  return lines;
}

function inWords({ decision }: NonNullable<Drift['first']>, bundle: Bundle): string {
  return bundle.decisions === null ? '' : decisionText(decision, bundle.decisions.names);
}

/** Field names are a promise. */
export function reproJson(
  path: string,
  bundle: Bundle,
  { outcome, way, replay, drift }: BundleReplay,
  here: BundleCode,
): Record<string, unknown> {
  const { violation } = replay.result;
  return {
    bundle: path,
    scenario: bundle.scenario,
    seed: bundle.seed,
    canary: bundle.canary,
    outcome,
    way: way.replace(' ', '_'),
    recorded: failureJson(bundle.failure),
    now: violation === null ? null : failureJson(violation),
    events: { recorded: bundle.events, now: replay.result.events },
    digest: { recorded: bundle.digests.final, now: replay.result.digest },
    departure: replay.departure,
    drift:
      drift === null
        ? null
        : {
            recorded: drift.recorded,
            matched: drift.matched,
            otherwise: drift.otherwise,
            never_asked: drift.onlyThen,
            asked_first: drift.onlyNow,
            first:
              drift.first === null
                ? null
                : {
                    why: drift.first.why.replace(' ', '_'),
                    event: drift.first.decision.event,
                    decision: inWords(drift.first, bundle),
                  },
          },
    last_events: replay.lastEvents,
    code: { recorded: bundle.code, now: here },
  };
}

export function failureJson(failure: SeedViolation): Record<string, unknown> {
  return {
    invariant: failure.invariant,
    event: failure.event,
    virtual_micros: failure.virtualMicros,
    message: failure.message,
  };
}
