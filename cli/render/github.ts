/**
 * For GitHub Actions: an annotation for each failure (the runner reads them from the output of the
 * step), and the job's summary in Markdown. Of failures with one signature only the shortest is
 * annotated: ten annotations of a step are shown, and no more.
 */
import { inClone, seedCommand } from './commands.ts';
import { distinctFailures } from './failures.ts';
import { summaryMarkdown } from './markdown.ts';
import { outcomeOf, type Renderer, type RunReport } from './report.ts';

/** `appendSummary` is not called when there is nothing to report on. */
export function githubRenderer(
  write: (text: string) => void,
  appendSummary: (markdown: string) => void,
): Renderer {
  return {
    started() {},
    seedTaken() {},
    violated() {},
    finished() {},
    ended(reports) {
      write(annotations(reports));
      if (reports.length > 0) appendSummary(summaryMarkdown(reports));
    },
  };
}

function annotations(reports: readonly RunReport[]): string {
  const lines = distinctFailures(reports).map(({ kept, all }) => {
    const { violation, report } = kept;
    const title = `${violation.invariant} violated by ${report.summary.scenario}, seed ${violation.seed}`;
    const more = all.length === 1 ? '' : ` (${all.length} seeds)`;
    return command('error', title + more, `${violation.message}\n${inClone(seedCommand(kept))}`);
  });
  for (const report of reports) {
    const { summary, missing } = report;
    const outcome = outcomeOf(report);
    if (outcome === 'incomplete') {
      lines.push(command('error', `${summary.scenario} is incomplete`, missing.join('\n')));
    }
    if (outcome === 'vacuous') {
      const reasons = Object.keys(summary.unmet).join('\n') || 'the canary was never reached';
      lines.push(command('warning', `${summary.scenario} did not happen`, reasons));
    }
  }
  return lines.join('');
}

/** A workflow command, escaped as the runner's toolkit does it. */
function command(name: 'error' | 'warning', title: string, message: string): string {
  return `::${name} title=${escapeProperty(title)}::${escapeData(message)}\n`;
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
