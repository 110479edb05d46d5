/** The two things that a dashboard can show: a campaign that runs, and a ledger that is followed. */
import { type Failure } from '../live/campaign_model.ts';
import { type CampaignSetup } from '../live/campaign_setup.ts';
import { declared } from '../live/declared.ts';
import { type LiveCampaign } from '../live/live_campaign.ts';
import { failureRow, stateOfCampaign } from './campaign_state.ts';
import { type DashboardState, type FailureRow } from './dashboard_state.ts';
import { type LedgerFollower } from './ledger_follower.ts';
import { failuresOf, stateOfLedger } from './ledger_state.ts';
import { type DashboardSource, type TimeTravelPage } from './server.ts';
import { TimeTravelPages } from './time_travel_pages.ts';

export class CampaignSource implements DashboardSource {
  readonly #campaign: LiveCampaign;
  readonly #setup: CampaignSetup;
  readonly #pages = new TimeTravelPages();

  constructor(campaign: LiveCampaign, setup: CampaignSetup) {
    this.#campaign = campaign;
    this.#setup = setup;
  }

  state(): DashboardState {
    this.#campaign.model.tick(this.#campaign.now());
    return stateOfCampaign(this.#campaign.model, this.#setup);
  }

  onFailure(listener: (failure: FailureRow) => void): void {
    this.#campaign.onFailure = (failure) => listener(failureRow(failure));
  }

  timeTravel(number: number): Promise<TimeTravelPage> {
    return this.#pages.of(this.#campaign.model.failures[number - 1]);
  }
}

/** Failures that a poll may find at once and that are told one by one; the rest is on the page. */
const TOLD_MAX = 100;

export class LedgerSource implements DashboardSource {
  readonly #follower: LedgerFollower;
  readonly #declared = declared();
  readonly #pages = new TimeTravelPages();
  /** Of the version that it has. */
  #state: DashboardState | null = null;
  #failures: readonly Failure[] = [];
  #listener: (failure: FailureRow) => void = () => {};

  /** `follower` has been polled. */
  constructor(follower: LedgerFollower) {
    this.#follower = follower;
    this.#failures = failuresOf(follower.ledger.campaigns).failures;
  }

  state(): DashboardState {
    const { ledger, path, version } = this.#follower;
    if (this.#state?.version !== version) {
      this.#state = stateOfLedger(ledger, this.#declared, path, version);
    }
    return this.#state;
  }

  onFailure(listener: (failure: FailureRow) => void): void {
    this.#listener = listener;
  }

  /** Looks for what was added. Throws UsageError when the file cannot be read any more. */
  poll(): void {
    const before = this.#follower.version;
    this.#follower.poll();
    if (this.#follower.version === before) return;
    const known = this.#failures.at(-1)?.number ?? 0;
    this.#failures = failuresOf(this.#follower.ledger.campaigns).failures;
    const fresh = this.#failures.filter(({ number }) => number > known);
    for (const failure of fresh.slice(-TOLD_MAX)) this.#listener(failureRow(failure));
  }

  timeTravel(number: number): Promise<TimeTravelPage> {
    return this.#pages.of(this.#failures.find((failure) => failure.number === number));
  }
}
