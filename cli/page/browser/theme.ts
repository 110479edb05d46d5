/** Colours of the canvas, from the style sheet's variables; they change with light and dark. */
import { ENTRY_KINDS, type EntryKind } from '../../../sim/recorder.ts';

export interface Theme {
  readonly ground: string;
  readonly raised: string;
  readonly ink: string;
  readonly faint: string;
  readonly line: string;
  readonly accent: string;
  readonly font: string;
  readonly kinds: Readonly<Record<EntryKind, string>>;
}

export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    ground: colour('ground'),
    raised: colour('raised'),
    ink: colour('ink'),
    faint: colour('faint'),
    line: colour('line'),
    accent: colour('accent'),
    font: colour('mono'),
    kinds: Object.fromEntries(
      ENTRY_KINDS.map((kind) => [kind, colour(`k-${kind.replace('_', '-')}`)]),
    ) as Record<EntryKind, string>,
  };
}

/** Calls back whenever the person's preference changes. */
export function onThemeChange(changed: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}
