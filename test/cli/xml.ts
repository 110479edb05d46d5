/** Just enough XML to hold what we write against the rules: elements, attributes, text, the five entities. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  /** Of this element alone, references resolved. */
  text: string;
}

/** Why `source` is not well-formed, or null. */
export function xmlProblem(source: string): string | null {
  try {
    xmlTree(source);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The root element. Throws with the reason when `source` is not well-formed. */
export function xmlTree(source: string): XmlElement {
  const illegal = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.exec(source);
  if (illegal !== null) throw new Error(`no character of XML at ${illegal.index}`);
  const root: XmlElement = { name: '', attributes: {}, children: [], text: '' };
  const open: XmlElement[] = [root];
  const body = source.replace(/^<\?xml [^?]*\?>/, '');
  let at = 0;
  for (const match of body.matchAll(/<(\/?)([A-Za-z][\w.-]*)((?:\s+[\w.-]+="[^"<]*")*)\s*(\/?)>/g)) {
    const [whole, closes, name, attributes, empty] = match as unknown as [string, ...Tag];
    const top = open.at(-1) as XmlElement;
    top.text += resolved(body.slice(at, match.index));
    at = match.index + whole.length;
    if (closes === '/') {
      if (top.name !== name || attributes !== '') throw new Error(`</${name}> closes <${top.name}>`);
      open.pop();
      continue;
    }
    const element: XmlElement = { name, attributes: attributesOf(attributes), children: [], text: '' };
    top.children.push(element);
    if (empty === '') open.push(element);
  }
  root.text += resolved(body.slice(at));
  if (open.length !== 1) throw new Error(`<${open.at(-1)?.name}> is not closed`);
  if (root.children.length !== 1 || root.text.trim() !== '') throw new Error('not one root');
  return root.children[0] as XmlElement;
}

type Tag = [closes: string, name: string, attributes: string, empty: string];

function attributesOf(source: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, key, value] of source.matchAll(/([\w.-]+)="([^"]*)"/g)) {
    if (Object.hasOwn(attributes, key as string)) throw new Error(`attribute ${key} twice`);
    // A line end that is not written as a reference becomes a space.
    attributes[key as string] = resolved((value as string).replaceAll(/[\t\n\r]/g, ' '));
  }
  return attributes;
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function resolved(text: string): string {
  if (text.includes('<') || text.includes(']]>')) throw new Error(`markup in text: ${text.slice(0, 80)}`);
  return text.replaceAll(/&([^;\s]*;?)/g, (whole, name: string) => {
    const number = /^#(\d+);$/.exec(name);
    if (number !== null) return String.fromCodePoint(Number(number[1]));
    const known = NAMED[name.replace(';', '')];
    if (known === undefined || !name.endsWith(';')) throw new Error(`no reference: ${whole}`);
    return known;
  });
}
