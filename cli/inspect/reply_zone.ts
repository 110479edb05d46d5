/** The reply zone: the latest reply of each client session, one slot each. */
import { bodyValid, headerValid } from '../../core/checksum.ts';
import { HEADER_SIZE, REPLY_SLOT_SIZE } from '../../core/constants.ts';
import { AT, COMMAND, commandOf, opOf, requestOf, operationOf, sizeOf } from '../../core/message/header.ts';
import { equalWords, isZeroWords } from '../../core/message/region.ts';
import { replyOffset } from '../../core/storage/data_file.ts';
import { hex, shortHash, type DataFileReader, type Finding } from './data_file_reader.ts';
import { operationName } from './journal_zone.ts';
import { type OpenedFile } from './superblock_zone.ts';

export interface ReplySlotView {
  readonly slot: number;
  /** `whole`, `empty` or `damaged`. */
  readonly state: string;
  readonly client: string | null;
  readonly op: number | null;
  readonly request: number | null;
  readonly operation: string | null;
  readonly size: number | null;
  readonly checksum: string | null;
}

export function inspectReplies(
  reader: DataFileReader,
  file: OpenedFile,
  findings: Finding[],
): ReplySlotView[] {
  const { config, zones, state } = file;
  const slots: ReplySlotView[] = [];
  for (let slot = 0; slot < config.clientsMax; slot++) {
    const region = reader.read(replyOffset(zones, slot), REPLY_SLOT_SIZE);
    const size = sizeOf(region);
    const whole =
      headerValid(config.checksumAlgorithm, region) &&
      commandOf(region) === COMMAND.reply &&
      (state === null || equalWords(region, AT.cluster, state.cluster, 0, 16)) &&
      size >= HEADER_SIZE &&
      size <= REPLY_SLOT_SIZE &&
      bodyValid(config.checksumAlgorithm, region);
    if (whole) {
      slots.push({
        slot,
        state: 'whole',
        client: hex(region.bytes.subarray(AT.client, AT.client + 16)),
        op: opOf(region),
        request: requestOf(region),
        operation: operationName(operationOf(region)),
        size,
        checksum: shortHash(region, AT.checksum),
      });
      continue;
    }
    const empty = isZeroWords(region, 0, REPLY_SLOT_SIZE);
    if (!empty) {
      findings.push({
        where: `reply slot ${slot}`,
        problem: 'the reply is not whole: a peer supplies it when its client asks again',
      });
    }
    slots.push({
      slot,
      state: empty ? 'empty' : 'damaged',
      client: null,
      op: null,
      request: null,
      operation: null,
      size: null,
      checksum: null,
    });
  }
  return slots;
}
