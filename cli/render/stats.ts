/** The numbers of a ledger for people: a line that sums up, then a table a question. */
import { type LedgerStats } from '../vopr/ledger_stats.ts';
import { counted, duration, grouped, listed, short } from '../numbers.ts';
import { shellWord } from './commands.ts';
import { tableText } from './table.ts';

export function statsText(path: string, stats: LedgerStats): string {
  const parts = [damageText(path, stats)];
  if (stats.first_at === null) {
    parts.push(noneText(path, stats));
    return parts.join('');
  }
  parts.push(
    overviewText(path, stats),
    daysText(stats),
    scenariosText(stats),
    failuresText(stats),
    checksText(stats),
    faultsText(stats),
    probesText(stats),
    canariesText(stats),
  );
  return parts.filter((part) => part !== '').join('\n');
}

function noneText(path: string, { left_out: others }: LedgerStats): string {
  if (others === 0) return `no campaigns in ${path}: \`vopr run\` writes them down there\n`;
  const asked = 'was asked for (--since, --scenario, --system)';
  return `none of the ${counted(others, 'campaign')} in ${path} ${asked}\n`;
}

function damageText(path: string, { damaged_lines: damaged, unknown_lines: unknown }: LedgerStats): string {
  const lines = damaged.slice(0, 5).map(({ line, reason }) => {
    return `${path}, line ${line} is left out: ${reason}\n`;
  });
  if (damaged.length > 5) lines.push(`${path}: ${grouped(damaged.length - 5)} more damaged lines\n`);
  for (const [what, count] of Object.entries(unknown)) {
    lines.push(`${path}: ${counted(count, 'line')} of ${what} left out: written by a newer version\n`);
  }
  return lines.join('');
}

function overviewText(path: string, stats: LedgerStats): string {
  const [first, last] = [day(stats.first_at), day(stats.last_at)];
  const when = first === last ? `on ${first}` : `from ${first} to ${last}`;
  const odd = [
    stats.unfinished > 0 ? `, ${grouped(stats.unfinished)} did not end` : '',
    stats.interrupted > 0 ? `, ${grouped(stats.interrupted)} interrupted` : '',
  ];
  const bad = `${counted(stats.failures, 'failure')}, ${grouped(stats.vacuous)} vacuous`;
  const speed = `${rate(stats.seeds, stats)} seeds/s, ${rate(stats.events, stats)} events/s`;
  return (
    `${path}: ${counted(stats.campaigns, 'campaign')} ${when}${odd.join('')}\n` +
    `${counted(stats.seeds, 'seed')}: ${bad}; ${short(stats.events)} events, ` +
    `${duration(stats.virtual_seconds)} virtual in ${duration(stats.wall_seconds)}: ${speed}\n`
  );
}

function daysText({ days }: LedgerStats): string {
  return tableText(days, [
    ['day', (row) => row.day],
    ['campaigns', (row) => grouped(row.campaigns), 'right'],
    ['seeds', (row) => grouped(row.seeds), 'right'],
    ['failures', (row) => grouped(row.failures), 'right'],
    ['events', (row) => short(row.events), 'right'],
    ['seeds/s', (row) => rate(row.seeds, row), 'right'],
    ['events/s', (row) => rate(row.events, row), 'right'],
  ]);
}

function scenariosText({ scenarios, scenarios_never_run: never }: LedgerStats): string {
  const table = tableText(scenarios, [
    ['scenario', (row) => row.scenario],
    ['campaigns', (row) => grouped(row.campaigns), 'right'],
    ['seeds', (row) => grouped(row.seeds), 'right'],
    ['failures', (row) => grouped(row.failures), 'right'],
    ['distinct', (row) => grouped(row.signatures), 'right'],
    ['vacuous', (row) => grouped(row.vacuous), 'right'],
    ['events', (row) => short(row.events), 'right'],
    ['events/s', (row) => rate(row.events, row), 'right'],
    ['virtual', (row) => duration(row.virtual_seconds), 'right'],
  ]);
  const unmet = scenarios.flatMap(({ scenario, unmet }) => {
    return Object.entries(unmet).map(([gate, count]) => {
      return `gate unmet in ${scenario}: ${gate}: ${counted(count, 'seed')}\n`;
    });
  });
  return table + neverText('never run', never) + unmet.join('');
}

function failuresText({ failed }: LedgerStats): string {
  if (failed.length === 0) return '';
  const lines = failed.map((row) => {
    const again = row.times > row.seeds ? `, ${counted(row.times, 'time')}` : '';
    const where = `${counted(row.seeds, 'seed')} of ${listed(row.scenarios)}${again}`;
    const texts = [
      `  ${row.id} ${row.signature}: ${where}, ${day(row.first_at)} to ${day(row.last_at)}`,
      `    event ${grouped(row.event)}: ${row.message}`,
      `    ${row.command}`,
    ];
    if (row.bundle !== null) texts.push(`    vopr repro ${shellWord(row.bundle)}`);
    return `${texts.join('\n')}\n`;
  });
  return `failures, the latest first\n${lines.join('')}`;
}

function checksText({ checks, invariants_never_compared: never }: LedgerStats): string {
  const rows = Object.entries(checks).filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
  const table = tableText(rows, [
    ['invariant', ([name]) => name],
    ['comparisons', ([, count]) => grouped(count), 'right'],
  ]);
  return (rows.length === 0 ? '' : table) + neverText('never compared anything', never);
}

function faultsText({ faults }: LedgerStats): string {
  const met = faults.filter(({ attempted, applied }) => attempted > 0 || applied > 0);
  const never = faults.filter((row) => !met.includes(row)).map((row) => row.class);
  const table = tableText(met, [
    ['fault', (row) => row.class],
    ['attempted', (row) => grouped(row.attempted), 'right'],
    ['applied', (row) => grouped(row.applied), 'right'],
    ['observed', (row) => grouped(row.observed), 'right'],
  ]);
  const unseen = met.filter(({ applied, observed }) => applied > 0 && observed === 0);
  return (
    (met.length === 0 ? '' : table) +
    neverText('applied and never observed', unseen.map((row) => row.class)) +
    neverText('never attempted', never)
  );
}

function probesText({ probes }: LedgerStats): string {
  if (probes.declared === 0) return '';
  const never = probes.never_hit.map((name) => `  ${name}\n`).join('');
  const tail = never === '' ? '' : '; never:';
  return `probes: ${grouped(probes.hit)} of ${grouped(probes.declared)} reached${tail}\n${never}`;
}

function canariesText({ canaries, canaries_never_run: never }: LedgerStats): string {
  const table = tableText(canaries, [
    ['canary', (row) => row.canary],
    ['checker', (row) => row.checker],
    ['campaigns', (row) => grouped(row.campaigns), 'right'],
    ['caught', (row) => grouped(row.caught), 'right'],
    ['most seeds', (row) => String(row.seeds_to_catch_max ?? '-'), 'right'],
    ['survived', (row) => grouped(row.survived), 'right'],
    ['not reached', (row) => grouped(row.unreached), 'right'],
    ['other checkers', (row) => listed(Object.keys(row.caught_by_others)) || '-'],
  ]);
  return (canaries.length === 0 ? '' : table) + neverText('canaries never planted', never);
}

function neverText(what: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${what}: ${names.join(', ')}\n`;
}

function rate(count: number, { wall_seconds: seconds }: { readonly wall_seconds: number }): string {
  return seconds === 0 ? '-' : short(count / seconds);
}

function day(at: string | null): string {
  return (at ?? '').slice(0, 10);
}
