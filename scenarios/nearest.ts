/**
 * The nearest of some names to one that was mistyped: by edit distance, and only when it is close
 * enough to be meant.
 */

/** Null when nothing is near. `name` may be in kebab-case or in any case of letters. */
export function nearestName(name: string, names: readonly string[]): string | null {
  const wanted = name.toLowerCase().replaceAll('-', '_');
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 2)) + 1;
  for (const candidate of names) {
    const plain = candidate.toLowerCase().replaceAll('-', '_');
    // A part of the name is a good guess too: "reorder" for "message_reorder".
    const distance =
      wanted.length >= 3 && plain.includes(wanted) ? 1 : editDistance(wanted, plain);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's distance with two rows. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      const replaced = (row[j - 1] as number) + change;
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
