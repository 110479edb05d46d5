import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SystemClock } from '../../adapters/system_clock.ts';
import { type Micros } from '../../core/units.ts';

const ms = (n: number): Micros => (n * 1000) as Micros;

function clock(): { clock: SystemClock; fired: number[]; onFire: (timer: number) => void } {
  const rig = {
    clock: new SystemClock(),
    fired: [] as number[],
    onFire: (_timer: number): void => {},
  };
  rig.clock.attach({
    onTimer(timer) {
      rig.fired.push(timer);
      rig.onFire(timer);
    },
  });
  return rig;
}

test('timers fire once, in order of time, and never early', async () => {
  const rig = clock();
  const began = rig.clock.monotonic();
  const at: number[] = [];
  rig.onFire = () => at.push(rig.clock.monotonic() - began);
  rig.clock.arm(3, ms(30));
  rig.clock.arm(1, ms(10));
  rig.clock.arm(200, ms(20));
  assert.deepEqual(rig.fired, []);
  await sleep(80);
  assert.deepEqual(rig.fired, [1, 200, 3]);
  for (const [i, delay] of [10, 20, 30].entries()) assert.ok((at[i] as number) >= delay * 1000, `${at[i]}`);
  rig.clock.close();
});

test('due together, they fire by number; arming again moves, disarming stops', async () => {
  const rig = clock();
  for (const timer of [5, 2, 9]) rig.clock.arm(timer, ms(10));
  rig.clock.arm(7, ms(5));
  rig.clock.arm(7, ms(25));
  rig.clock.arm(4, ms(5));
  rig.clock.disarm(4);
  rig.clock.disarm(60);
  await sleep(60);
  assert.deepEqual(rig.fired, [2, 5, 9, 7]);
  rig.clock.close();
});

test('a handler may arm its own timer; zero delays do not starve the loop', async () => {
  const rig = clock();
  rig.onFire = (timer) => {
    if (rig.fired.length < 20) rig.clock.arm(timer, ms(0));
  };
  rig.clock.arm(0, ms(0));
  await sleep(100);
  assert.equal(rig.fired.length, 20);
  rig.clock.close();
});

test('views share one clock', async () => {
  const rig = clock();
  rig.clock.view(8).arm(1, ms(5));
  rig.clock.view(16).arm(1, ms(5));
  rig.clock.view(16).disarm(1);
  await sleep(30);
  assert.deepEqual(rig.fired, [9]);
  rig.clock.close();
});

test('monotonic never goes back, wall is the time of day', () => {
  const { clock: c } = clock();
  let last = 0;
  for (let i = 0; i < 10_000; i++) {
    const now = c.monotonic();
    assert.ok(now >= last);
    last = now;
  }
  assert.ok(Math.abs(c.wall() - Date.now() * 1000) < 50_000);
  assert.ok(Number.isSafeInteger(c.wall()));
});
