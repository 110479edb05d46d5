/**
 * The terminal from the first frame to the last: the alternate screen is entered, and left again
 * however it ends (q, Ctrl-C, a signal, an error), so that the shell is as it was.
 */
import { createElement as h } from 'react';
import { render } from 'ink';
import { type CampaignSetup } from '../live/campaign_setup.ts';
import { type LiveCampaign } from '../live/live_campaign.ts';
import { App } from './app.ts';
import { StoryTeller } from './story_teller.ts';

const FRAMES_PER_SECOND = 10;
const CLEAN_LINE = '\r\u001b[K';

/** Resolves when the person at the keyboard quits; rejects when a thread, the disk or a view fails. */
export async function runScreen(campaign: LiveCampaign, setup: CampaignSetup): Promise<void> {
  const teller = new StoryTeller();
  const quit = Promise.withResolvers<void>();
  // What was typed while the program started has been echoed, and the alternate screen begins where the
  // cursor is: the first frame would begin in the middle of a line.
  process.stdin.setRawMode(true);
  process.stdout.write(CLEAN_LINE);
  const screen = render(
    h(App, {
      model: campaign.model,
      setup,
      now: () => campaign.now(),
      start: () => campaign.start(),
      pause: () => campaign.pause(),
      resume: () => campaign.resume(),
      quit: () => quit.resolve(),
      openStory: (failure) => teller.tell(failure),
      inFlight: () => campaign.inFlight,
    }),
    {
      alternateScreen: true,
      incrementalRendering: true,
      interactive: true, // Also where CI is set: we know that there is a terminal.
      exitOnCtrlC: false, // It is a key like q: the campaign is ended in order.
      maxFps: FRAMES_PER_SECOND,
    },
  );
  const onSignal = (): void => quit.resolve();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, onSignal);
  try {
    await Promise.race([quit.promise, campaign.failed, screen.waitUntilExit()]);
  } finally {
    for (const signal of signals) process.removeListener(signal, onSignal);
    screen.unmount();
    await screen.waitUntilExit().catch(() => {}); // Its error has been thrown above.
    process.stdin.setRawMode(false);
    await teller.close();
  }
}
