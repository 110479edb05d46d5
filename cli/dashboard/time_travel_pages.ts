/** The time-travel pages of failures, made from their bundles when somebody asks: one at a time. */
import { basename } from 'node:path';
import { type Failure } from '../live/campaign_model.ts';
import { UsageError } from '../usage_error.ts';
import { openBundle } from '../vopr/bundle_file.ts';
import { timeTravelPage } from '../vopr/show_html.ts';
import { type TimeTravelPage } from './server.ts';

export class TimeTravelPages {
  /** The one that was asked for last: of several who ask, or ask again, each waits for the same. */
  #last: { readonly bundle: string; readonly page: Promise<TimeTravelPage> } | null = null;

  of(failure: Failure | undefined): Promise<TimeTravelPage> {
    if (failure === undefined) return Promise.resolve({ problem: 'There is no such failure.' });
    const { bundle } = failure.replay;
    if (bundle === null) return Promise.resolve({ problem: 'No bundle was written of this failure.' });
    if (this.#last?.bundle === bundle) return this.#last.page;
    const before = this.#last?.page ?? Promise.resolve();
    const page = before.then(
      () => made(bundle),
      () => made(bundle),
    );
    this.#last = { bundle, page };
    page.catch(() => (this.#last = null)); // The next one who asks may be luckier.
    return page;
  }
}

/** `path` is what the campaign or the ledger says, never what a request says. */
async function made(path: string): Promise<TimeTravelPage> {
  try {
    const { bundle, bytes } = openBundle(path);
    return { page: await timeTravelPage(bundle, bytes, basename(path)) };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { problem: `${error.message}.` };
  }
}
