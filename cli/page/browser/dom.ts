/**
 * Making elements. Text enters a page here, as text and nothing else: no function of this page
 * takes markup.
 */
type Child = Node | string | null;

interface Attributes {
  readonly class?: string;
  readonly title?: string;
  readonly label?: string;
  readonly role?: string;
  readonly id?: string;
  readonly type?: string;
  readonly value?: string;
  readonly placeholder?: string;
  readonly hidden?: boolean;
  readonly disabled?: boolean;
  readonly tabIndex?: number;
  /** `aria-*` and `data-*`, by their whole name. */
  readonly more?: Readonly<Record<string, string>>;
  readonly onclick?: (event: MouseEvent) => void;
}

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  const { label, more, onclick, hidden, disabled, tabIndex, ...plain } = attributes;
  for (const [key, value] of Object.entries(plain)) made.setAttribute(key, value);
  if (label !== undefined) made.setAttribute('aria-label', label);
  for (const [key, value] of Object.entries(more ?? {})) made.setAttribute(key, value);
  if (hidden === true) made.hidden = true;
  if (disabled === true) made.setAttribute('disabled', '');
  if (tabIndex !== undefined) made.tabIndex = tabIndex;
  if (onclick !== undefined) made.addEventListener('click', onclick as (event: Event) => void);
  for (const child of children) if (child !== null) made.append(child);
  return made;
}

export function button(
  content: Child,
  label: string,
  onclick: () => void,
  attributes: Attributes = {},
): HTMLButtonElement {
  return element('button', { type: 'button', label, title: label, onclick, ...attributes }, content);
}

/** Paths on a grid of 16 by 16, filled. */
const ICONS = {
  first: 'M2 2h2v12H2zM14 2v12L5 8z',
  back: 'M12 2v12L4 8z',
  backFar: 'M8.5 2v12L1.5 8zM15 2v12L8 8z',
  play: 'M4 2l9 6-9 6z',
  pause: 'M4 2h3v12H4zM9 2h3v12H9z',
  forward: 'M4 2v12l8-6z',
  forwardFar: 'M1 2v12l7-6zM7.5 2v12l7-6z',
  last: 'M12 2h2v12h-2zM2 2v12l9-6z',
  up: 'M8 4l5 6H3z',
  down: 'M8 12l5-6H3z',
  close: 'M3.5 2L2 3.5 6.5 8 2 12.5 3.5 14 8 9.5 12.5 14 14 12.5 9.5 8 14 3.5 12.5 2 8 6.5z',
  zoomIn: 'M7 2h2v5h5v2H9v5H7V9H2V7h5z',
  zoomOut: 'M2 7h12v2H2z',
} as const;
export type IconName = keyof typeof ICONS;

export function icon(name: IconName): SVGSVGElement {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

export function replaceChildren(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren(...children.filter((child) => child !== null));
}

/** Leaves the file with the person's browser; nothing is sent anywhere. */
export function offerDownload(name: string, type: string, content: BlobPart): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = element('a', { more: { href: url, download: name } });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
