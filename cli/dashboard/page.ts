/**
 * The page: one document with its style and its script inside, allowed by their hashes alone. The
 * script only puts in what the server has rendered, and says whether the server is still there.
 */
import { createHash } from 'node:crypto';
import { type DashboardState } from './dashboard_state.ts';
import { Html, html } from './html.ts';
import { STYLE } from './page_style.ts';
import { PANELS, head } from './panels.ts';

/** Plain JavaScript: it reaches the browser as it stands here. */
const SCRIPT = `
'use strict';
const connection = document.getElementById('connection');
const say = (kind, words) => { connection.className = kind; connection.textContent = words; };

function put(id, inside) {
  const place = document.getElementById(id);
  if (place === null) return;
  const panel = place.closest('section');
  if (panel !== null) panel.hidden = inside === null;
  if (inside === null) return;
  const open = new Set([...place.querySelectorAll('details[open]')].map((it) => it.dataset.key));
  const scrolled = [...place.querySelectorAll('.scroll, .failures')].map((it) => it.scrollTop);
  place.innerHTML = inside;
  for (const it of place.querySelectorAll('details')) it.open = open.has(it.dataset.key);
  place.querySelectorAll('.scroll, .failures').forEach((it, i) => { it.scrollTop = scrolled[i] || 0; });
}

const updates = new EventSource('/vopr/updates');
updates.addEventListener('open', () => say('live', 'live'));
updates.addEventListener('error', () => say('lost', 'the server is gone; trying again'));
updates.addEventListener('coverage-update', ({ data }) => {
  const { title, panels } = JSON.parse(data);
  document.title = title;
  for (const [id, inside] of Object.entries(panels)) put(id, inside);
});
// Put in at once; the next update counts it in.
updates.addEventListener('failure', ({ data }) => {
  const { number, item } = JSON.parse(data);
  if (document.getElementById('failure-' + number) !== null) return;
  const place = document.getElementById('failures');
  if (place.querySelector('ol') === null) place.innerHTML = '<ol class="failures"></ol>';
  place.querySelector('ol').insertAdjacentHTML('afterbegin', item);
  document.getElementById('failure-' + number).classList.add('new');
});
updates.addEventListener('bye', () => { updates.close(); say('lost', 'the server has ended'); });

document.addEventListener('click', async ({ target }) => {
  const text = target instanceof Element ? target.getAttribute('data-copy') : null;
  if (text === null) return;
  await navigator.clipboard.writeText(text);
  target.textContent = 'copied';
  setTimeout(() => { target.textContent = 'copy'; }, 1500);
});
`;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing but this style, this script, and events from here. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export type Panels = Readonly<Record<string, string | null>>;

/** The inside of every panel by id; null: there is none. */
export function panelsOf(state: DashboardState): Panels {
  const panels: Record<string, string | null> = { head: head(state).text };
  for (const { id, inside } of PANELS) panels[id] = inside(state)?.text ?? null;
  return panels;
}

export function titleOf({ title, status, failureCount }: DashboardState): string {
  const failed = failureCount === 0 ? '' : `(${failureCount}) `;
  return `${failed}${title}: ${status.toLowerCase()}`;
}

export function pageOf(state: DashboardState): string {
  const panels = panelsOf(state);
  const sections = PANELS.map(({ id, title, span }) => {
    const inside = panels[id] ?? null;
    const hidden = inside === null ? new Html(' hidden') : '';
    return html`<section class="span-${span}" aria-labelledby="${id}-title"${hidden}>
<h2 id="${id}-title">${title}</h2><div id="${id}">${new Html(inside ?? '')}</div></section>`;
  });
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${titleOf(state)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>${new Html(STYLE)}</style></head>
<body><header><div class="brand"><b>vopr dashboard</b>
<span id="connection" role="status">connecting</span></div>
<div id="head">${new Html(panels['head'] ?? '')}</div></header>
<main>${sections}</main>
<footer>As JSON: <a href="/scenarios">/scenarios</a> <a href="/failures">/failures</a>
<a href="/coverage">/coverage</a> <a href="/invariants">/invariants</a>; as events:
<code>/vopr/updates</code></footer>
<script>${new Html(SCRIPT)}</script></body></html>
`.text;
}
