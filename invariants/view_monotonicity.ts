/**
 * view_monotonicity: a node's view and log view never go back, restarts included.
 *
 * Within a process both only grow, and log view never passes view. Across restarts the disk
 * decides: a prepare_ok, do_view_change or start_view goes out only when its view and log view are
 * durable, and the first view of a new process is not below what the node's messages promised.
 */
import { AT, COMMAND, commandOf, viewOf } from '../core/message/header.ts';
import { type Region } from '../core/message/region.ts';
import { DiskSuperblock } from './disk_superblock.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';

/** Copies that a write must have left whole; see core/storage/superblock_quorums.ts. */
const DURABLE_COPIES = 3;

export class ViewMonotonicity implements Checker {
  readonly id = 'view_monotonicity';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  private readonly superblock: DiskSuperblock;
  /** By node: what its disk was last seen to hold for good, and what its messages have promised. */
  private readonly viewDurable: Float64Array;
  private readonly logViewDurable: Float64Array;
  private readonly viewPromised: Float64Array;
  private readonly logViewPromised: Float64Array;

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
    this.superblock = new DiskSuperblock(context.config, context.zones);
    this.viewDurable = new Float64Array(context.replicaCount).fill(-1);
    this.logViewDurable = new Float64Array(context.replicaCount).fill(-1);
    this.viewPromised = new Float64Array(context.replicaCount);
    this.logViewPromised = new Float64Array(context.replicaCount);
  }

  onView(node: number, view: number, logView: number): void {
    const { nodes } = this.observed;
    this.comparisons++;
    const viewBefore = nodes.view[node] as number;
    const logViewBefore = nodes.logView[node] as number;
    if (view < viewBefore || logView < logViewBefore) {
      this.context.fail(
        this.id,
        `R${node} went from view ${viewBefore} (log of ${logViewBefore}) back to view ${view} ` +
          `(log of ${logView})`,
      );
    } else if (logView > view) {
      this.context.fail(this.id, `R${node} is in view ${view} with the log of view ${logView}`);
    } else if (
      view < (this.viewPromised[node] as number) ||
      logView < (this.logViewPromised[node] as number)
    ) {
      this.context.fail(
        this.id,
        `R${node} is in view ${view} (log of ${logView}), but it had promised view ` +
          `${this.viewPromised[node] as number} (log of ${this.logViewPromised[node] as number})`,
      );
    }
  }

  onPromiseSent(node: number, message: Region): void {
    const view = viewOf(message);
    const logView =
      commandOf(message) === COMMAND.doViewChange ?
        message.fields.getUint32(AT.dvcLogView, true)
      : view;
    if (view > (this.viewPromised[node] as number)) this.viewPromised[node] = view;
    if (logView > (this.logViewPromised[node] as number)) this.logViewPromised[node] = logView;
    this.comparisons++;
    if (this.durable(node, view, logView)) return;
    // Rare: the first promise of a view. Look at the disk.
    const disk = this.context.disk(node);
    if (this.superblock.durableCopiesAtLeast(disk, view, logView) >= DURABLE_COPIES) {
      this.viewDurable[node] = view;
      this.logViewDurable[node] = logView;
      return;
    }
    if (this.superblock.read(disk, DURABLE_COPIES, true)) {
      this.viewDurable[node] = this.superblock.view;
      this.logViewDurable[node] = this.superblock.logView;
    }
    this.context.fail(
      this.id,
      `R${node} sent a message of view ${view} (log of ${logView}) while its disk holds view ` +
        `${this.viewDurable[node] as number} (log of ${this.logViewDurable[node] as number})`,
    );
  }

  private durable(node: number, view: number, logView: number): boolean {
    return (
      view <= (this.viewDurable[node] as number) && logView <= (this.logViewDurable[node] as number)
    );
  }
}
