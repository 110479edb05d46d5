/**
 * The panels of the page, each a function from the state to its inside. The page is made of them
 * once, with or without scripts; afterwards those that have changed are sent again.
 */
import { counted, duration, grouped, listed, short } from '../numbers.ts';
import { chart } from './chart.ts';
import { type DashboardState, type FailureRow } from './dashboard_state.ts';
import { html, type Html, type HtmlValue } from './html.ts';

/** On the page; /failures has more of them. */
const FAILURES_SHOWN = 100;

export interface Panel {
  readonly id: string;
  readonly title: string;
  /** Columns of twelve. */
  readonly span: number;
  /** Null: the panel has nothing to say of this source, and is left out. */
  readonly inside: (state: DashboardState) => Html | null;
}

export const PANELS: readonly Panel[] = [
  { id: 'throughput', title: 'Throughput', span: 7, inside: throughput },
  { id: 'coverage', title: 'Coverage', span: 5, inside: coverage },
  { id: 'failures', title: 'Failures', span: 12, inside: failures },
  { id: 'scenarios', title: 'Scenarios', span: 12, inside: scenarios },
  { id: 'never', title: 'Probes never reached', span: 6, inside: probesNever },
  { id: 'faults', title: 'Faults', span: 6, inside: faults },
  { id: 'seeds', title: 'Top seeds', span: 12, inside: topSeeds },
  { id: 'checkers', title: 'Checkers', span: 6, inside: checkers },
  { id: 'gates', title: 'Gates', span: 6, inside: gates },
  { id: 'canaries', title: 'Canaries', span: 12, inside: canaries },
];

// --- Head ---

export function head(state: DashboardState): Html {
  const { source, totals } = state;
  const nothing = source === 'ledger' && state.scenarios.length === 0
    ? html`<p class="hint">No campaign has been written down here yet.
<code>vopr run combined --seeds 100</code> writes one, and this page follows.</p>`
    : '';
  const warnings = state.warnings.map((text) => html`<p class="warning">${text}</p>`);
  const tile = (name: string, value: string, kind = ''): Html => {
    return html`<div class="tile ${kind}"><dt>${name}</dt><dd>${value}</dd></div>`;
  };
  const seeds = totals.planned > totals.taken
    ? `${grouped(totals.taken)} of ${grouped(totals.planned)}`
    : grouped(totals.taken);
  return html`<div class="title"><h1>${state.title}</h1>
<span class="chip ${state.status.toLowerCase()}">${state.status}</span>
<p class="detail">${state.detail}</p></div>${nothing}${warnings}
<dl class="tiles">
${tile('seeds', seeds)}
${tile('passed', grouped(totals.passed), totals.passed > 0 ? 'good' : '')}
${tile('failed', grouped(totals.failed), totals.failed > 0 ? 'bad' : '')}
${tile('vacuous', grouped(totals.vacuous), totals.vacuous > 0 ? 'odd' : '')}
${tile('events/s', short(totals.eventsPerSecond))}
${tile('virtual time', duration(totals.virtualSeconds))}
${tile('view changes', short(totals.viewChanges))}
${tile('crashes', short(totals.crashes))}
</dl>`;
}

// --- Panels ---

function throughput(state: DashboardState): Html {
  const { source, throughput, totals } = state;
  const live = source === 'campaign';
  const unit = `Events per second${live ? ' of real time' : ', a bar a campaign'}`;
  if (throughput.points.length === 0) {
    return empty(live
      ? 'Bars appear here as soon as the first seeds are in.'
      : 'No campaign of this ledger has ended yet.');
  }
  const { seedsPerSecond, eventsPerSecond } = totals;
  const rate = `${short(seedsPerSecond)} seeds/s and ${short(eventsPerSecond)} events/s on average`;
  const over = totals.seconds > 0 ? `, over ${duration(totals.seconds)}` : '';
  return html`<p class="note">${unit}. ${rate}${over}. A red dot: seeds failed.</p>
<div class="scroll">${chart(throughput, `Throughput: ${rate}`)}</div>`;
}

function coverage({ coverage }: DashboardState): Html {
  const rows = coverage.dimensions.map(({ name, reached, declared }) => html`<tr><th scope="row">${name}</th>
<td class="wide">${meter(reached, declared)}</td><td class="number">${reached}/${declared}</td></tr>`);
  return html`<p class="note">Reached, of what the code declares; not of what was seen.</p>
<table>${rows}</table>`;
}

function failures(state: DashboardState): Html {
  const { failures, failureCount, distinctFailures } = state;
  if (failureCount === 0) {
    return empty(state.totals.taken === 0 ? 'No seed has run yet.' : 'None.');
  }
  const kinds = failureCount === 1 ? '' : `, ${grouped(distinctFailures)} distinct`;
  const shown = failures.slice(-FAILURES_SHOWN).reverse();
  const some = shown.length < failureCount ? ` ${grouped(shown.length)} are listed.` : '';
  return html`<p class="note">${counted(failureCount, 'failure')}${kinds}, the latest first.${some}</p>
<ol class="failures">${shown.map(failureItem)}</ol>`;
}

export function failureItem(failure: FailureRow): Html {
  const { number, scenario, seed, canary, event, virtualMicros, replicas, sameAs } = failure;
  const who = replicas.length === 0 ? '' : `, replica${replicas.length === 1 ? '' : 's'} ${listed(replicas)}`;
  const planted = canary === null ? '' : html` <span class="canary">canary ${canary}</span>`;
  const same = sameAs === number ? '' : html` <span class="same">as #${sameAs}</span>`;
  const at = `event ${grouped(event)}, ${(virtualMicros / 1e6).toFixed(6)} s virtual${who}`;
  const link = failure.timeTravel === null
    ? ''
    : html` <a href="${failure.timeTravel}" target="_blank" rel="noopener">step through it</a>`;
  return html`<li id="failure-${number}"><p><span class="index">#${number}</span> <b>${failure.invariant}</b>
<span class="run">${scenario}, seed ${seed}</span>${planted}${same}</p>
<p class="message">${failure.message}</p>
<p class="facts">${at}${link}</p>
<p class="replay"><code>${failure.replay}</code>
<button type="button" data-copy="${failure.replay}">copy</button></p>
</li>`;
}

function scenarios({ scenarios }: DashboardState): Html {
  if (scenarios.length === 0) return empty('No scenario has run yet.');
  return table(
    ['scenario', 'progress', '>seeds', '>passed', '>failed', '>vacuous', '>events', '>virtual time'],
    scenarios.map((row) => [
      html`${row.running ? html`<b>${row.name}</b>` : row.name}`,
      meter(row.taken, row.planned, row.failed > 0 ? 'bad' : ''),
      `${grouped(row.taken)}/${grouped(row.planned)}`,
      grouped(row.passed),
      marked(row.failed, 'bad'),
      marked(row.vacuous, 'odd'),
      short(row.events),
      duration(row.virtualMicros / 1e6),
    ]),
  );
}

function probesNever({ coverage }: DashboardState): Html {
  const never = coverage.probes.filter(({ seeds }) => seeds === 0);
  if (never.length === 0) return empty('Every declared probe was reached.');
  const reached = coverage.probes
    .filter(({ seeds }) => seeds > 0)
    .sort((a, b) => a.seeds - b.seeds || b.hits - a.hits);
  const rare = reached.length === 0
    ? ''
    : html`<details data-key="reached"><summary>${reached.length} reached, rarest first</summary>
${table(
    ['probe', `>${coverage.unit}`, '>hits'],
    reached.map(({ name, seeds, hits }) => [name, grouped(seeds), short(hits)]),
  )}</details>`;
  const share = `${never.length} of ${coverage.probes.length}`;
  return html`<p class="note">${share} rare situations that nobody came by.</p>
<div class="scroll"><ul class="probes">${never.map(({ name }) => html`<li>${name}</li>`)}</ul></div>${rare}`;
}

function faults({ coverage }: DashboardState): Html {
  return html`<p class="note">Attempted: the plan called for it. Applied: it changed something. Observed:
a replica or client met what it left behind.</p>${table(
    ['fault', '>attempted', '>applied', '>observed'],
    coverage.faults.map(({ fault, attempted, applied, observed }) => [
      fault,
      zeroDim(attempted),
      zeroDim(applied),
      applied > 0 && observed === 0 ? html`<span class="odd">0</span>` : zeroDim(observed),
    ]),
  )}`;
}

function topSeeds({ topSeeds }: DashboardState): Html | null {
  if (topSeeds === null) return null;
  if (topSeeds.length === 0) return empty('No seed has come by a probe yet.');
  return html`<p class="note">Rarity: over the probes that a seed reached, the sum of one divided by the
number of seeds that reached that probe. 1 is worth one probe that no other seed reached.</p>${table(
    ['scenario', '>seed', '>rarity', '>probes', 'its rarest probe', '>reached by', '>events'],
    topSeeds.map((seed) => [
      seed.scenario,
      String(seed.seed),
      seed.rarity.toFixed(2),
      seed.probes,
      seed.rarest,
      counted(seed.rarestSeeds, 'seed'),
      short(seed.events),
    ]),
  )}`;
}

function checkers({ coverage }: DashboardState): Html {
  return table(
    ['checker', '>comparisons'],
    coverage.checkers.map(({ id, claim, checks }) => [
      html`<abbr title="${claim}">${id}</abbr>`,
      checks === 0 ? html`<span class="odd">none</span>` : short(checks),
    ]),
  );
}

function gates({ coverage }: DashboardState): Html {
  if (coverage.gates.length === 0) return empty('No scenario has run yet.');
  return html`<p class="note">What must have happened for a run to count.</p>${table(
    ['scenario', 'gate', '>seeds that met it'],
    coverage.gates.map(({ scenario, gate, met, seeds }) => [
      scenario,
      gate,
      html`<span class="${seeds > 0 && met === 0 ? 'odd' : ''}">${grouped(met)}/${grouped(seeds)}</span>`,
    ]),
  )}`;
}

function canaries({ canaries, canariesMissing }: DashboardState): Html | null {
  if (canaries.length === 0) return null;
  const missing = canariesMissing.length === 0
    ? ''
    : html`<p class="note">Never planted: ${listed(canariesMissing)}.</p>`;
  return html`<p class="note">Planted bugs, and whether the checker that must catch each of them did.</p>
${table(
    ['canary', 'to be caught by', '>seeds', '>caught by it', '>by another', '>times reached', 'so'],
    canaries.map(({ name, checker, seeds, caught, caughtByOther, reached }) => {
      const so = caught > 0
        ? html`<span class="good">caught</span>`
        : reached > 0
          ? html`<span class="bad">survived</span>`
          : html`<span class="odd">never reached</span>`;
      return [name, checker, grouped(seeds), zeroDim(caught), zeroDim(caughtByOther), zeroDim(reached), so];
    }),
  )}${missing}`;
}

// --- Parts ---

function empty(text: string): Html {
  return html`<p class="empty">${text}</p>`;
}

/** A share of an unknown whole (0 of 0) is none. */
function meter(part: number, whole: number, kind = ''): Html {
  const width = whole > 0 ? Math.min(100, Math.max(0, (part / whole) * 100)) : 0;
  return html`<svg class="meter ${kind}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
<rect class="track" width="100" height="8"/>
<rect class="fill" width="${width.toFixed(2)}" height="8"/></svg>`;
}

/** A title that begins with `>` stands over numbers. */
function table(titles: readonly string[], rows: readonly (readonly HtmlValue[])[]): Html {
  const numbers = titles.map((title) => (title.startsWith('>') ? 'number' : ''));
  const headings = titles.map((title, i) => html`<th scope="col" class="${numbers[i] ?? ''}">${
    title.replace(/^>/, '')
  }</th>`);
  const lines = rows.map((row) => html`<tr>${row.map((value, i) => html`<td class="${numbers[i] ?? ''}">${
    value
  }</td>`)}</tr>`);
  return html`<div class="scroll"><table><thead><tr>${headings}</tr></thead>
<tbody>${lines}</tbody></table></div>`;
}

function marked(count: number, kind: 'bad' | 'odd'): Html {
  return count === 0 ? zeroDim(0) : html`<span class="${kind}">${grouped(count)}</span>`;
}

function zeroDim(count: number): Html {
  return count === 0 ? html`<span class="zero">0</span>` : html`${short(count)}`;
}
