/** The command tree of `vopr`. Subcommands stand beside this file; it only joins them. */
import { newProgram, runProgram } from '../program.ts';
import { EXIT, type ExitStatus } from '../usage_error.ts';
import { packageVersion } from '../version.ts';
import { addBisectCommand } from './bisect.ts';
import { addCanariesCommand } from './canaries.ts';
import { addDashboardCommand } from './dashboard.ts';
import { addExploreCommand } from './explore.ts';
import { addInvariantsCommand } from './invariants.ts';
import { addMergeCommand } from './merge.ts';
import { addMinimizeCommand } from './minimize.ts';
import { loadOwnSystem } from './own_system.ts';
import { addReproCommand } from './repro.ts';
import { addRunCommand } from './run.ts';
import { addScenariosCommand } from './scenarios.ts';
import { addShowCommand } from './show.ts';
import { addStatsCommand } from './stats.ts';
import { addTimelineCommand } from './timeline.ts';
import { addTuiCommand } from './tui.ts';

/** Returns the exit status. */
export function vopr(argv: readonly string[]): Promise<number> {
  let status: ExitStatus = EXIT.passed;
  const setStatus = (chosen: ExitStatus): void => {
    status = chosen;
  };
  const program = newProgram(
    'vopr',
    'Simulates whole clusters of replicas, with faults on and checkers on, one seed after another.',
    packageVersion(),
  );
  program
    .option('--system <module>', "a system of one's own instead of Kimberlite (docs/own_systems.md)")
    .configureHelp({ showGlobalOptions: true })
    .hook('preAction', async () => {
      const { system } = program.opts<{ system?: string }>();
      if (system !== undefined) await loadOwnSystem(system);
    });
  program.addHelpText(
    'after',
    '\nExit status: 0 passed, 1 violation, 2 usage or operating error, 3 vacuous\n' +
      '(the scenario did not happen); `repro`, `bisect`, `minimize`: 1 reproduced, 0 no failure,\n' +
      '125 another failure.\n' +
      '\nExamples:\n  vopr run --all --seeds 20\n  vopr run --canary commit-before-quorum',
  );
  addRunCommand(program, setStatus);
  addMergeCommand(program, setStatus);
  addTuiCommand(program, setStatus);
  addDashboardCommand(program, setStatus);
  addStatsCommand(program);
  addReproCommand(program, setStatus);
  addShowCommand(program);
  addBisectCommand(program, setStatus);
  addMinimizeCommand(program, setStatus);
  addTimelineCommand(program);
  addExploreCommand(program, setStatus);
  addScenariosCommand(program);
  addInvariantsCommand(program);
  addCanariesCommand(program);
  return runProgram(program, argv, () => status);
}
