/** A line a scenario and a line a violation, tab separated `key=value`: for grep and for logs. */
import { type Renderer } from './report.ts';

export function compactRenderer(write: (text: string) => void): Renderer {
  return {
    started() {},
    seedTaken() {},
    violated(violation, { scenario, bundle }) {
      write(
        `violation\tscenario=${scenario}\tseed=${violation.seed}\tinvariant=${violation.invariant}` +
          `\tevent=${violation.event}\tbundle=${bundle ?? '-'}\tmessage=${oneLine(violation.message)}\n`,
      );
    },
    finished({ summary, wallSeconds }) {
      const failed = summary.violations.length;
      const word = failed > 0 ? 'failed' : summary.vacuous.length > 0 ? 'vacuous' : 'passed';
      const rate = Math.round(summary.events / Math.max(wallSeconds, 1e-3));
      write(
        `${word}\tscenario=${summary.scenario}\tfirst=${summary.first}\tseeds=${summary.count}` +
          `\tpassed=${summary.passed}\tviolations=${failed}\tvacuous=${summary.vacuous.length}` +
          `\tevents=${summary.events}\tevents_per_second=${rate}` +
          `\twall_seconds=${wallSeconds.toFixed(3)}\tdigest=${summary.digest}\n`,
      );
    },
    ended() {},
  };
}

function oneLine(text: string): string {
  return text.replaceAll(/[\t\r\n]+/g, ' ');
}
