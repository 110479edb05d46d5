/**
 * fast-check with a seed that is the same in each run, so a red test is red for everyone.
 * `FC_SEED=n` explores others; a counterexample found that way becomes a row in a table.
 */
import { configureGlobal } from 'fast-check';

export * as fc from 'fast-check';

configureGlobal({ seed: Number(process.env['FC_SEED'] ?? 20261122) });
