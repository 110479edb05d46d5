/** `kmb tenant create`. */
import { type Command } from 'commander';
import { subcommand } from '../program.ts';
import { addConnectionOptions, tenantNumber, withConnection, type ConnectionOptions } from './connection.ts';

export function addTenantCommand(program: Command): void {
  const tenant = subcommand(program, 'tenant', 'create tenants', [
    'kmb tenant create 1 acme --addresses 3901,3902,3903',
    'kmb tenant create 2 globex --addresses db1:3901,db2:3901,db3:3901 --timeout 30',
  ]);
  addConnectionOptions(
    subcommand(tenant, 'create', 'create a tenant', [
      'kmb tenant create 1 acme --addresses 3901,3902,3903',
      'kmb tenant create 2 globex --addresses db1:3901,db2:3901,db3:3901 --timeout 30',
    ])
      .argument('<number>', 'from 1; it stays taken for ever')
      .argument('<name>', 'letters, digits and underscore'),
  ).action(async (text: string, name: string, options: ConnectionOptions) => {
    const number = tenantNumber(text, 'the tenant');
    await withConnection(options, async (connection) => {
      await connection.createTenant(number, name);
      process.stdout.write(`created tenant ${number} "${name}"\n`);
    });
  });
}
