/** What a time-travel page is told about its run, as JSON beside the program. */
import { type BundleCode } from '../../bundles/format.ts';
import { type SeedViolation } from '../../sim/search/seed_result.ts';

export interface PageData {
  /** Name under which the page offers the bundle's bytes. */
  readonly fileName: string;
  readonly scenario: string;
  readonly seed: string;
  readonly canary: string | null;
  readonly limits: { readonly events: number | null; readonly micros: number | null };
  /** Null: the run did not fail. */
  readonly failure: SeedViolation | null;
  readonly events: number;
  /** Of the whole run, hexadecimal; and base64 of the low 16 bits after each event. */
  readonly digest: string;
  readonly digestTape: string;
  /** What recorded the run, and what made the page. */
  readonly recordedBy: BundleCode;
  readonly madeBy: BundleCode;
  /** A `Plan`, to be checked before use. */
  readonly plan: unknown;
}
