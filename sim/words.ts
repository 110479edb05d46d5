/**
 * What the bytes of a system mean, in words for people: timelines and state trees ask for them, no
 * run depends on them. A system that brings none is shown in numbers.
 */
import { type NodeProcess } from '../core/component.ts';
import { type ClusterConfig } from '../core/constants.ts';
import { COMMAND_NAMES, commandOf, opOf, requestOf } from '../core/message/header.ts';
import { type Region } from '../core/message/region.ts';
import { SECTOR_SIZE } from '../core/ports.ts';
import { type StateNode } from './state_node.ts';
import { type ClientProcess } from './system.ts';

export interface Words {
  /** Names of the messages' commands, by code; '' or nothing: it has none. */
  readonly commands: readonly string[];
  /**
   * First the command, as one word; then what tells the message whose header is at `at` from others
   * of its kind; without view and ends. Its bytes may have been damaged on the way: nothing in them
   * may be trusted.
   */
  message(region: Region, at: number): string;
  /** The op that it is about, or -1. */
  messageOp(region: Region, at: number): number;
  /** What a client asks for. */
  operation(operation: number): string;
  /** Null: the reply grants what was asked for; else why not. */
  refusal(reply: Region): string | null;
  /** What lies in this sector of a disk: `journal slot 5`. */
  place(config: ClusterConfig, sector: number): string;
  /** A message header lies at the beginning of what is written there: see `message`. */
  holdsMessage(config: ClusterConfig, sector: number): boolean;
  /** Why a node gives up its view when this timer fires; null: it does not. */
  timeout(timer: number): string | null;
  /** Names of the timers of nodes and clients. */
  timer(timer: number): string;
  clientTimer(timer: number): string;
  /** The node's state; null: its plain properties tell it. */
  node(process: NodeProcess): StateNode | null;
  client(client: ClientProcess): StateNode | null;
}

function safe(value: number): number {
  return Number.isSafeInteger(value) ? value : -1;
}

export const PLAIN_WORDS: Words = Object.freeze({
  commands: COMMAND_NAMES,
  message: (region: Region, at: number) =>
    `command_${commandOf(region, at)} op ${safe(opOf(region, at))} request ${requestOf(region, at)}`,
  messageOp: (region: Region, at: number) => safe(opOf(region, at)),
  operation: (operation: number) => `operation ${operation}`,
  refusal: () => null,
  place: (_: ClusterConfig, sector: number) => `sector ${sector} at ${sector * SECTOR_SIZE}`,
  holdsMessage: () => false,
  timeout: () => null,
  timer: (timer: number) => `timer ${timer}`,
  clientTimer: (timer: number) => `timer ${timer}`,
  node: () => null,
  client: () => null,
});
