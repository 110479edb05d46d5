/** A replica as a process of its own: `node server_process.ts <path> <addresses>`. */
import { OperatingError } from '../../adapters/errors.ts';
import { runServer } from '../../adapters/server.ts';

const [path = '', addresses = ''] = process.argv.slice(2);
const log = (line: string): void => void process.stderr.write(`${line}\n`);
try {
  process.exitCode = await runServer({ path, addresses, log });
} catch (error) {
  if (!(error instanceof OperatingError)) throw error;
  log(error.message);
  process.exitCode = error.exitStatus;
}
