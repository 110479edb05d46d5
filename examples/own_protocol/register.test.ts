/** The register's tests: `node --test examples/own_protocol/register.test.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simTest } from '../../cli/testing.ts'; // Published: from 'kimberlite/testing'.
import { system } from './system.ts';

test('what its callers see is linearizable', simTest({ system, seeds: 100 }));

// Is the net fine enough? Each of these bugs must be caught.
for (const { name, scenario, caughtBy, seeds } of system.canaries) {
  test(`a register with the bug ${name} fails`, async () => {
    const planted = simTest({ system, scenario, canary: name, seeds, bundleDir: null });
    await assert.rejects(planted, new RegExp(`SimulationFailure: violation of ${caughtBy}: `));
  });
}
