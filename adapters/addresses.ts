/**
 * Addresses of a cluster: `host:port` or a port alone, separated by commas, in order of replica
 * index. Without a host the loopback interface is meant: nothing is opened to a network by default.
 */
import { AddressError } from './errors.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export const HOST_DEFAULT = '127.0.0.1';

/** Throws AddressError. */
export function parseAddress(text: string): Address {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new AddressError('address-invalid', text, `Cannot use address "${text}": not host:port`,
      'write for example 127.0.0.1:3001, [::1]:3001, or 3001 for the loopback interface');
  }
  return { host: match[1] ?? match[2] ?? HOST_DEFAULT, port };
}

/** Throws AddressError. */
export function parseAddresses(text: string | readonly (string | Address)[]): Address[] {
  const parts = typeof text === 'string' ? text.split(',') : text;
  const addresses = parts.map((part) => (typeof part === 'string' ? parseAddress(part) : part));
  const seen = new Set<string>();
  for (const address of addresses) {
    const key = addressText(address);
    if (seen.has(key)) {
      throw new AddressError('address-invalid', key, `Address "${key}" is given twice`,
        'give each replica an address of its own, in order of replica index');
    }
    if (address.port !== 0) seen.add(key);
  }
  return addresses;
}

export function addressText(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
