#!/usr/bin/env node
/** `vopr`: the simulator's program. What it does is in cli/vopr/program.ts. */
import { start } from './start.ts';

start('vopr');
const { vopr } = await import('./vopr/program.ts');
process.exitCode = await vopr(process.argv.slice(2));
