import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite, test } from 'node:test';
import { type PageData } from '../../../cli/page/page_data.ts';
import { pageHtml } from '../../../cli/page/page_html.ts';

const HOSTILE = '</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> "\' &amp; \u2028';

function dataWith(text: string): PageData {
  const code = { version: text, commit: text, node: text };
  return {
    fileName: text, scenario: text, seed: text, canary: text, limits: { events: null, micros: null },
    failure: { invariant: text, message: text, event: 1, virtualMicros: 1, replicas: [0] },
    events: 1, digest: text, digestTape: '', recordedBy: code, madeBy: code, plan: { [text]: [text] },
  };
}

const program = { script: 'globalThis.x = "<b>";\n', style: 'b { color: red }' };
const html = pageHtml({ program, data: dataWith(HOSTILE), bundle: Uint8Array.of(1, 2, 255) });

suite('page', () => {
  test('text of a bundle never becomes markup', () => {
    assert.equal(html.match(/<script/g)?.length, 3, 'two blocks of data and the program');
    assert.equal(html.match(/<\/script/g)?.length, 3);
    assert.ok(!html.includes('<!--') && !html.includes('<img') && !html.includes('alert(2)>'));
    assert.match(html, /<title>&lt;\/script&gt;&lt;script&gt;alert/);
  });

  test('and comes back as it was', () => {
    const json = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)?.[1];
    assert.deepEqual(JSON.parse(json ?? ''), dataWith(HOSTILE));
    const base64 = /<script type="text\/plain" id="bundle">(.*?)<\/script>/s.exec(html)?.[1];
    assert.deepEqual([...Buffer.from(base64 ?? '', 'base64')], [1, 2, 255]);
  });

  test('the policy admits this script and this style, and nothing else', () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1] ?? '';
    const hash = (element: string): string => {
      const inside = new RegExp(`<${element}>([^]*?)</${element}>`).exec(html)?.[1] ?? '';
      return `'sha256-${createHash('sha256').update(inside).digest('base64')}'`;
    };
    assert.deepEqual(policy.split('; '), [
      "default-src 'none'",
      `script-src ${hash('script')}`,
      `style-src ${hash('style')}`,
      "base-uri 'none'",
      "form-action 'none'",
    ]);
  });

  test('a program that would end its own element is not embedded', () => {
    for (const script of ['"</script>"', '"<!--"', '"<script>"']) {
      const parts = { program: { ...program, script }, data: dataWith(''), bundle: new Uint8Array() };
      assert.throws(() => pageHtml(parts), /cannot be embedded/);
    }
  });
});
