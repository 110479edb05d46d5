/**
 * Stands in for GitHub's `gh` in tests of the workflow: issues are kept in the JSON file that
 * FAKE_GH names. It knows the calls that the workflow makes, with their options, and no others.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

export interface FakeIssues {
  labels: string[];
  issues: { number: number; title: string; label: string; state: 'open' | 'closed'; bodies: string[] }[];
}

const path = process.env['FAKE_GH'] as string;
const kept: FakeIssues = existsSync(path)
  ? (JSON.parse(readFileSync(path, 'utf8')) as FakeIssues)
  : { labels: [], issues: [] };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'body-file': { type: 'string' }, color: { type: 'string' }, description: { type: 'string' },
    force: { type: 'boolean' }, jq: { type: 'string' }, json: { type: 'string' }, label: { type: 'string' },
    limit: { type: 'string' }, state: { type: 'string' }, title: { type: 'string' },
  },
});
const body = values['body-file'] === undefined ? '' : readFileSync(values['body-file'], 'utf8');
const call = positionals.join(' ').replace(/ \d+$/, ' #');

switch (call) {
  case 'label create vopr':
    if (kept.labels.includes('vopr') && values.force !== true) throw new Error('it exists');
    kept.labels = ['vopr'];
    break;
  case 'issue list': {
    // The one expression of the workflow, as jq would have it.
    const wanted = /^\[\.\[\] \| select\(\.title \| startswith\("(.*)"\)\)\]\[0\]\.number \/\/ empty$/;
    const start = wanted.exec(values.jq ?? '')?.[1];
    if (start === undefined || values.json !== 'number,title') throw new Error(`no jq for ${values.jq}`);
    const open = kept.issues.filter(({ state, label }) => state === values.state && label === values.label);
    const found = open.find(({ title }) => title.startsWith(start));
    if (found !== undefined) process.stdout.write(`${found.number}\n`);
    break;
  }
  case 'issue create': {
    if (!kept.labels.includes(values.label ?? '')) throw new Error(`no label ${values.label}`);
    const number = kept.issues.length + 1;
    kept.issues.push({ number, title: values.title ?? '', label: 'vopr', state: 'open', bodies: [body] });
    break;
  }
  case 'issue comment #': {
    const number = Number(positionals.at(-1));
    kept.issues.find((issue) => issue.number === number)?.bodies.push(body);
    break;
  }
  default:
    throw new Error(`gh ${call}`);
}
writeFileSync(path, JSON.stringify(kept));
