/**
 * `simTest`: simulated seeds as one test of any runner that takes a function and awaits what it
 * returns.
 *
 *   test('no acknowledged write is lost', simTest({ scenario: 'combined', seeds: 200 }));
 *
 * A violation fails the test, and so does a run in which the scenario did not happen, as in
 * `vopr run`. Seeds run one after another on the test's own thread, which is let go between them.
 */
import { type SimTestOptions } from './options.ts';
import { type SimTestReport } from './simulation_failure.ts';
import { SimulatedTest } from './simulated_test.ts';

/**
 * The function to hand to a runner. It returns a promise that is rejected with `SimulationFailure`,
 * or with `UsageError` when the options or the environment make no sense.
 */
export function simTest(options: SimTestOptions): () => Promise<void> {
  const site = stackAbove(simTest);
  return async () => {
    await new SimulatedTest(options, site).run();
  };
}

/** The same at once and without a runner; tells what ran. */
export async function simulate(options: SimTestOptions): Promise<SimTestReport> {
  return new SimulatedTest(options, stackAbove(simulate)).run();
}

function stackAbove(caller: (options: SimTestOptions) => unknown): string {
  const holder = { stack: '' };
  Error.captureStackTrace(holder, caller);
  return holder.stack.split('\n').slice(1).join('\n');
}
