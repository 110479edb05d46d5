/** The story of a minimised plan: it is run once more, watched, and told. */
import { type CanaryId } from '../../core/canary.ts';
import { Recorder } from '../../sim/recorder.ts';
import { type Best } from '../../sim/search/minimize/facts.ts';
import { presentClients } from '../../sim/search/minimize/plan_edits.ts';
import { spokenOptions } from '../../sim/search/minimize/spoken.ts';
import { type WorldPlaces } from '../../sim/search/run_seed.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';
import { storyText } from '../render/story_text.ts';

/** `title`: what it was minimised from. The world stands in the first of `places`. */
export function storyOf({ plan, facts }: Best, canary: CanaryId, title: string, places: WorldPlaces): string {
  const world = places.start({ plan, canary, limits: NO_LIMITS });
  const recorder = new Recorder();
  world.observer = recorder;
  while (world.step());
  const { invariant, message, event, virtualMicros } = facts.violation;
  return storyText({
    title,
    invariant,
    message,
    event,
    virtualMicros,
    replicas: plan.replicaCount,
    clients: presentClients(plan).length,
    options: spokenOptions({ plan, facts }),
    entries: recorder.entries(),
  });
}
