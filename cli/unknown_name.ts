/** What is said of a name that nothing has. */
import { nearestName } from '../scenarios/nearest.ts';

/** `unknown scenario "swizle": did you mean "swizzle_clogging"? `vopr scenarios` lists them` */
export function unknownName(kind: string, wanted: string, names: readonly string[], list: string): string {
  const nearest = nearestName(wanted, names);
  const meant = nearest === null ? '' : ` did you mean "${nearest}"?`;
  return `unknown ${kind} "${wanted}":${meant} \`${list}\` lists all ${names.length}`;
}
