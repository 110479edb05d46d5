/** Text that others wrote, made safe for XML, HTML and Markdown. */

/** For elements and attributes of both. What XML 1.0 cannot hold becomes the replacement character. */
export function escapeMarkup(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** As `escapeMarkup`; line ends and tabs survive, which an attribute would turn into spaces. */
export function escapeAttribute(text: string): string {
  return escapeMarkup(text).replaceAll('\t', '&#9;').replaceAll('\n', '&#10;').replaceAll('\r', '&#13;');
}

/** A block that shows `text` as it is, whatever backticks are in it. */
export function codeBlock(text: string, language = ''): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}\n`;
}

/** One line in which nothing is markup; fit for a cell of a table. */
export function plainMarkdown(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_[\]<>|#~@&]/g, String.raw`\$&`);
}
