/** Loopback addresses that nothing listens on at this moment. */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { type Address } from '../../adapters/addresses.ts';

export async function freeAddresses(count: number): Promise<Address[]> {
  // All are held open together, so that the system gives each port once.
  const servers: Server[] = [];
  for (let i = 0; i < count; i++) {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    servers.push(server);
  }
  const addresses = servers.map((server) => ({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
  }));
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return addresses;
}
