/** Runs the shell of a workflow or manifest as it stands in the file. */
import { spawn } from 'node:child_process';
import { type Outcome } from '../cli/run_program.ts';

export interface StepPlace {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** The runner of GitHub Actions starts `bash -e`, the manifests `/bin/sh -euc`. */
  readonly shell: readonly [command: string, ...options: string[]];
}

export function runStep(script: string, { cwd, env, shell }: StepPlace): Promise<Outcome> {
  const [command, ...options] = shell;
  const environment: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1', ...env };
  delete environment['NODE_TEST_CONTEXT'];
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    const child = spawn(command, [...options, script], { cwd, env: environment, stdio: [...stdio] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}
