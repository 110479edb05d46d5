/** What `vopr bisect` says: each replay with its verdict, and the event that decided. */
import { type Bundle, type BundleCode } from '../../bundles/format.ts';
import { type Bisection, type BisectProbe, type NotReproduced } from '../../sim/search/bisect.ts';
import { type SeedViolation } from '../../sim/search/seed_result.ts';
import { counted, grouped } from '../numbers.ts';
import { bundleCommand } from './commands.ts';
import { failureJson } from './repro.ts';

/** Facts of the deciding event that are shown. */
const ENTRIES_MAX = 12;

export function reproducedText(failure: SeedViolation, searched: number): string {
  const where = searched === failure.event ? '' : `; healed by itself at event ${grouped(searched)}`;
  return `  replay  1  the run itself: ${failure.invariant} at event ${grouped(failure.event)}${where}\n`;
}

/** `number` counts the probes from 1; the run itself was replay 1. */
export function probeText({ event, verdict, violation, events }: BisectProbe, number: number): string {
  const replay = String(number + 1).padStart(2);
  const outcome =
    violation === null
      ? `no violation in ${counted(events, 'event')}`
      : `${violation.invariant} at event ${grouped(violation.event)}`;
  const other = verdict === 'saved' && violation !== null ? 'another failure, ' : '';
  return `  replay ${replay}  healed after event ${grouped(event)}: ${verdict}, ${other}${outcome}\n`;
}

/** `code` is what runs here: its module goes with the command. */
export function bisectionText(found: Bisection, path: string, code: BundleCode): string {
  const { turn, failure, recording } = found;
  const lines = [
    turn.event === 0
      ? 'lost before the first event: it fails without any fault'
      : `lost from event ${grouped(turn.event)} on: ${turn.text}`,
  ];
  for (const { node, text } of turn.entries.slice(0, ENTRIES_MAX)) {
    lines.push(`             ${laneOf(node, found)}${text}`);
  }
  if (turn.entries.length > ENTRIES_MAX) {
    lines.push(`             and ${counted(turn.entries.length - ENTRIES_MAX, 'fact')} more`);
  }
  if (turn.event > 0) {
    const before = grouped(turn.event - 1);
    lines.push(`  before it  with the faults ended after event ${before}, the failure does not come`);
  }
  lines.push(
    `  noticed    at event ${grouped(failure.event)}: ` +
      `${counted(failure.event - turn.event, 'event')} and ` +
      `${((failure.virtualMicros - turn.virtualMicros) / 1e6).toFixed(6)} s virtual later`,
    `  replays    ${found.replays} of at most ${found.replaysMax}`,
  );
  const { violation, events } = recording.result;
  lines.push(
    `  bundle     ${path}: ${counted(turn.event, 'event')} as recorded, then healed; ` +
      `${violation?.invariant ?? ''} at event ${grouped(violation?.event ?? events)}`,
    `             ${bundleCommand(path, code)}`,
  );
  return `${lines.join('\n')}\n`;
}

function laneOf(node: number, { plan }: Bisection): string {
  if (node < 0) return '';
  return node < plan.replicaCount ? `R${node} ` : `C${node - plan.replicaCount} `;
}

/** Field names are a promise. */
export function bisectJson(
  path: string,
  bundle: Bundle,
  found: Bisection | NotReproduced,
  output: string | null,
): Record<string, unknown> {
  const head = {
    bundle: path,
    scenario: bundle.scenario,
    seed: bundle.seed,
    canary: bundle.canary,
    recorded: failureJson(bundle.failure),
  };
  if (found.failure === null) {
    return { ...head, now: found.violation === null ? null : failureJson(found.violation) };
  }
  const { turn, failure } = found;
  return {
    ...head,
    now: failureJson(failure),
    lost_from: {
      event: turn.event,
      virtual_micros: turn.virtualMicros,
      text: turn.text,
      facts: turn.entries.map(({ node, text }) => `${laneOf(node, found)}${text}`),
    },
    saved_until: turn.event === 0 ? null : turn.event - 1,
    noticed_later: {
      events: failure.event - turn.event,
      virtual_micros: failure.virtualMicros - turn.virtualMicros,
    },
    searched: found.searched,
    replays: found.replays,
    replays_max: found.replaysMax,
    probes: found.probes.map(({ event, verdict, violation, events }) => ({
      event,
      verdict,
      invariant: violation?.invariant ?? null,
      failed_at: violation?.event ?? null,
      events,
    })),
    output,
  };
}
