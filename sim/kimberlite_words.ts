/** Kimberlite's messages, operations, timers and the zones of its data file, in words for people. */
import { type NodeProcess } from '../core/component.ts';
import { HEADER_SIZE, type ClusterConfig } from '../core/constants.ts';
import { resultName } from '../core/kernel/operations.ts';
import { COMMAND_NAMES } from '../core/message/header.ts';
import { type Region } from '../core/message/region.ts';
import { zonesOf } from '../core/storage/data_file.ts';
import { CLIENT_TIMER } from '../core/vsr/client.ts';
import { Replica } from '../core/vsr/replica.ts';
import { TIMER } from '../core/vsr/timeouts.ts';
import { clientState, replicaState } from './kimberlite_state.ts';
import { messageOp, messageText, operationText } from './message_text.ts';
import { placeText, sectorPlace } from './sector_place.ts';
import { type ClientProcess } from './system.ts';
import { type Words } from './words.ts';
import { SimClient } from './workload/sim_client.ts';

const TIMER_NAMES: readonly string[] = Object.keys(TIMER); // In order of number.
const CLIENT_TIMER_NAMES: readonly string[] = Object.keys(CLIENT_TIMER);

/** Timers that make a replica leave its view. */
const LEAVING: ReadonlyMap<number, string> = new Map([
  [TIMER.normalHeartbeat, 'no sign of life of the primary'],
  [TIMER.primaryAbdicate, 'no acknowledgements: the primary falls silent'],
  [TIMER.viewChangeStatus, 'the view change does not end: on to the next view'],
]);

/** The body of a reply begins with a result code. */
function refusal(reply: Region): string | null {
  const code = reply.fields.getUint16(HEADER_SIZE, true);
  return code === 0 ? null : resultName(code);
}

export const KIMBERLITE_WORDS: Words = Object.freeze({
  commands: COMMAND_NAMES,
  message: messageText,
  messageOp,
  operation: operationText,
  refusal,
  place: (config: ClusterConfig, sector: number) =>
    placeText(sectorPlace(zonesOf(config), config, sector)),
  holdsMessage(config: ClusterConfig, sector: number): boolean {
    const { zone, sector: within } = sectorPlace(zonesOf(config), config, sector);
    return within === 0 && (zone === 'prepare' || zone === 'reply' || zone === 'grid block');
  },
  timeout: (timer: number) => LEAVING.get(timer) ?? null,
  timer: (timer: number) => TIMER_NAMES[timer] ?? `timer ${timer}`,
  clientTimer: (timer: number) => CLIENT_TIMER_NAMES[timer] ?? `timer ${timer}`,
  node: (process: NodeProcess) => (process instanceof Replica ? replicaState(process) : null),
  client: (client: ClientProcess) => (client instanceof SimClient ? clientState(client) : null),
});
