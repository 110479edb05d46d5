/**
 * The page as one HTML text. The bundle comes from a stranger: its data stands in blocks that no
 * browser executes, with every `<` escaped; the policy admits the page's own script and style by
 * hash and nothing else, no request to anywhere included.
 */
import { createHash } from 'node:crypto';
import { type PageData } from './page_data.ts';
import { type PageProgram } from './page_script.ts';

export interface PageParts {
  readonly program: PageProgram;
  readonly data: PageData;
  /** The bundle's file; empty: there is none, the run did not fail. */
  readonly bundle: Uint8Array;
}

export function pageHtml({ program, data, bundle }: PageParts): string {
  const script = embeddable(program.script, 'script');
  const style = embeddable(program.style, 'style');
  const policy = [
    "default-src 'none'",
    `script-src '${sourceHash(script)}'`,
    `style-src '${sourceHash(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const what = data.failure === null ? 'no violation' : data.failure.invariant;
  const title = htmlText(`${what}: ${data.scenario}, seed ${data.seed}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<noscript>This page executes the simulator, and needs scripts to be allowed for it.</noscript>
<div id="app"></div>
<script type="application/json" id="data">${jsonText(data)}</script>
<script type="text/plain" id="bundle">${Buffer.from(bundle).toString('base64')}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** JSON in which nothing can end the element that holds it, or begin a comment in it. */
function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, unicodeEscape);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/** Ours, but bundled by a tool: it must not hold what ends its element or changes its parsing. */
function embeddable(source: string, element: 'script' | 'style'): string {
  const text = source.trim();
  const bad = element === 'script' ? /<\/script|<script|<!--/i : /<\/style/i;
  const found = bad.exec(text);
  if (found !== null) throw new Error(`page: the ${element} holds "${found[0]}" and cannot be embedded`);
  return text;
}

function sourceHash(source: string): string {
  return `sha256-${createHash('sha256').update(source, 'utf8').digest('base64')}`;
}
