/** `vopr tui` in a real terminal: keys go in, screens come out. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { programPath, runProgram } from '../run_program.ts';
import { Terminal, tmuxMissing } from './tmux.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-tui-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

const skip = tmuxMissing() ?? false;
const CANARY = '--canary quorum-too-small';

async function inTerminal(
  columns: number,
  rows: number,
  args: string,
  watch: (terminal: Terminal) => Promise<void>,
): Promise<void> {
  const terminal = new Terminal(DIRECTORY, columns, rows);
  try {
    terminal.run('clear; echo before');
    await terminal.sees(/^before$/m);
    terminal.run(`CI=1 "${process.execPath}" "${programPath('vopr')}" tui ${args}; echo "status $?"`);
    await watch(terminal);
  } finally {
    terminal.close();
  }
}

/** The screen of the shell is back, with the cursor, and keys are echoed again. */
async function assertRestored(terminal: Terminal): Promise<string> {
  const screen = await terminal.sees(/^status \d+$/m);
  assert.equal(terminal.state('#{alternate_on} #{cursor_flag}'), '0 1');
  terminal.run('echo echoed');
  await terminal.sees(/^[#$] echo echoed\nechoed\n/m);
  return screen;
}

test('tui: starts, pauses for real, goes through its tabs, quits and restores all', { skip }, async () => {
  await inTerminal(100, 30, 'baseline message_loss --seeds 500 --jobs 1 --events 1500', async (terminal) => {
    const idle = await terminal.sees(/ Idle\n/);
    assert.match(idle, /Nothing has run yet: press s/);
    assert.match(idle, /s start {2}Tab next tab {2}q quit/);
    terminal.press('s');
    await terminal.sees(/Running [1-9]\d*\/1,000\n/);
    terminal.press('Space');
    await terminal.sees(/Paused \d+\n/);
    const paused = terminal.screen();
    assert.match(paused, /Space resume/);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(terminal.screen(), paused, 'no seed comes in');

    terminal.press('Tab');
    await terminal.sees(/▶ {2}baseline +\d+\/500/);
    assert.match(terminal.screen(), /· {2}message_loss +0\/500/);
    terminal.press('Tab');
    await terminal.sees(/No failure so far/);
    terminal.press('Tab');
    await terminal.sees(/probes reached .* \d+\/\d+\n/);
    assert.match(terminal.screen(), /1-26 of \d+\n/);
    terminal.press('PageDown');
    await terminal.sees(/26-51 of \d+\n/);
    terminal.press('Tab');
    await terminal.sees(/\d\d:\d\d\.\d {2}paused\n/);
    terminal.press('Tab');
    await terminal.sees(/scenarios {2}baseline, message_loss\n/);
    terminal.press('Tab', 'Space');
    await terminal.sees(/Running \d+\/1,000\n/);
    terminal.press('q');
    const left = await assertRestored(terminal);
    assert.match(left, /baseline +\d+ seeds from 1: \d+ vacuous;/);
    assert.match(left, /vopr: interrupted after \d+ seeds\nstatus 2\n/);
    assert.match(left, /^before$/m, 'what was there before');
  });
});

test('tui: a failure appears, its timeline opens, Esc goes back; status as of run', { skip }, async () => {
  await inTerminal(100, 30, `${CANARY} --seeds 30 --keep-going --jobs 1`, async (terminal) => {
    await terminal.sees(/ Idle\n/);
    terminal.press('s');
    await terminal.sees(/Last of \d+ failures: acked_durability/);
    await terminal.sees(/vopr repro \.vopr\/bundles\/network_partition_symmetric-\d+-quorum-too-small\.kmb/);
    await terminal.sees(/Completed 0 ok, 30 failed/);
    terminal.press('Tab', 'Tab');
    await terminal.sees(/▸#1 +network_partition_symmetric \d+/);
    terminal.press('Down', 'Enter');
    const story = await terminal.sees(/#2 acked_durability .*\n(.*\n)+ *\d+ R0 +✓ .*\n/);
    assert.match(story, /^world .*!\n/m, 'the violation is in the last cell');
    assert.match(story, /^ *(\d+) R0 +E acked_durability: R0 answered op .*\n *\1 world ! R0 answered/m);
    assert.match(story, /Esc back/);
    terminal.press('Home');
    await terminal.sees(/ 1-\d+ of \d+\n/);
    terminal.press('Escape');
    await terminal.sees(/▸#2 +network_partition_symmetric/);
    terminal.press('Escape');
    const left = await assertRestored(terminal);
    assert.match(left, /30 violated;/);
    assert.match(left, /^status 1$/m);
  });
});

test('tui: every size down to 40x12 is filled exactly, a smaller one told so', { skip }, async () => {
  await inTerminal(80, 24, 'baseline --seeds 4000 --jobs 1 --events 1500', async (terminal) => {
    await terminal.sees(/ Idle\n/);
    terminal.press('s');
    for (const [columns, rows] of [[40, 12], [200, 60], [39, 12], [40, 11], [3, 2], [60, 20]] as const) {
      terminal.resize(columns, rows);
      if (columns < 40 || rows < 12) {
        await terminal.sees(columns < 10 ? /Th/ : new RegExp(`This terminal has ${columns}x${rows} cells`));
        continue;
      }
      await terminal.sees(new RegExp(`^─{${columns}}$`, 'm'));
      const lines = (await terminal.sees(/^Space pause/m)).trimEnd().split('\n');
      assert.equal(lines.length, rows, `${columns}x${rows}`);
      assert.match(lines[0] ?? '', /^vopr {2}baseline +Running [\d,]+\/4,000$/);
      assert.match(lines[rows - 1] ?? '', /^Space pause/);
    }
    terminal.press('C-c');
    assert.match(await assertRestored(terminal), /status 2$/m);
  });
});

test('tui: what is typed while it starts does not spoil the first frame', { skip }, async () => {
  await inTerminal(100, 30, 'baseline', async (terminal) => {
    const drawn = async (): Promise<boolean> => {
      terminal.press('x', 'y', 'z');
      return /Nothing has run yet/.test(terminal.screen());
    };
    while (!(await drawn()));
    for (let i = 0; i < 20; i++) await drawn();
    const lines = terminal.screen().trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^vopr {2}baseline +Idle$/);
    assert.equal(lines[29], 's start  Tab next tab  q quit');
    assert.equal(lines.length, 30);
    terminal.press('q');
    assert.match(await assertRestored(terminal), /^status 0$/m);
  });
});

test('tui: a signal and a campaign that cannot go on restore the terminal too', { skip }, async () => {
  await inTerminal(80, 24, 'baseline --seeds 4000 --jobs 1 --events 1500', async (terminal) => {
    await terminal.sees(/ Idle\n/);
    terminal.press('s');
    await terminal.sees(/Running [1-9]/);
    process.kill(terminal.child(), 'SIGTERM');
    assert.match(await assertRestored(terminal), /vopr: interrupted after [\d,]+ seeds\nstatus 2\n/);
  });
  await inTerminal(80, 24, `${CANARY} --jobs 1 --bundle-dir /dev/null/bundles`, async (terminal) => {
    await terminal.sees(/ Idle\n/);
    terminal.press('s');
    const left = await assertRestored(terminal);
    assert.match(left, /vopr: Cannot write the bundle "\/dev\/null\/bundles/);
    assert.match(left, /^status 2$/m);
  });
});

test('tui: refused where there is no terminal, with what to do', async () => {
  const piped = await runProgram('vopr', ['tui', 'baseline'], { cwd: DIRECTORY });
  assert.equal(piped.status, 2);
  assert.equal(piped.stdout, '');
  assert.match(piped.stderr, /needs a terminal, and standard input is none: use `vopr run baseline`/);
  const unknown = await runProgram('vopr', ['tui', 'basline'], { cwd: DIRECTORY });
  assert.match(unknown.stderr, /unknown scenario "basline": did you mean "baseline"/);
});
