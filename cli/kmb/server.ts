/**
 * `kmb server`: one replica, until it is told to stop. Exit status: 0 stopped on request, 2 it
 * could not start, others as adapters/errors.ts says.
 */
import { type Command } from 'commander';
import { runServer } from '../../adapters/server.ts';
import { subcommand } from '../program.ts';

interface ServerOptions {
  readonly addresses: string;
}

export function addServerCommand(program: Command, setStatus: (status: number) => void): void {
  subcommand(program, 'server', 'run one replica on its data file', [
    'kmb server --addresses 127.0.0.1:3901,127.0.0.1:3902,127.0.0.1:3903 0.kmb',
    'kmb server --addresses 10.0.0.1:3901,10.0.0.2:3901,10.0.0.3:3901 /data/2.kmb',
  ])
    .argument('<path>', 'its data file, made by `kmb format`')
    .requiredOption(
      '--addresses <host:port,...>',
      'of all replicas of the cluster, in order of index; a port alone is on 127.0.0.1',
    )
    .action(async (path: string, { addresses }: ServerOptions) => {
      setStatus(await serve(path, addresses));
    });
}

const log = (line: string): void => void process.stdout.write(`${line}\n`);

/** Started by `kmb dev`: its end, however sudden, is ours. */
const stopWithParent = (): void => void process.kill(process.pid, 'SIGTERM');

async function serve(path: string, addresses: string): Promise<number> {
  if (process.connected) process.once('disconnect', stopWithParent);
  const status = await runServer({ path, addresses, log });
  process.removeListener('disconnect', stopWithParent);
  if (process.connected) process.disconnect();
  return status;
}
