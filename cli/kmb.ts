#!/usr/bin/env node
/** `kmb`: the database's program. What it does is in cli/kmb/program.ts. */
import { start } from './start.ts';

start('kmb');
const { kmb } = await import('./kmb/program.ts');
process.exitCode = await kmb(process.argv.slice(2));
