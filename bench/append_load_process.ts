/** Clients as a process: `node append_load_process.ts '<LoadRequest as JSON>'` prints a `LoadResult`. */
import { appendLoad, type LoadRequest } from './append_load.ts';

const result = await appendLoad(JSON.parse(process.argv[2] ?? '{}') as LoadRequest);
process.stdout.write(`${JSON.stringify(result)}\n`);
