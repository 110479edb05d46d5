/** Explored runs in words: one line an action, with what came of it. */
import { type ExploreAction } from './explore_plan.ts';
import { type Happened, type LiveCluster } from './live_cluster.ts';
import { nameOf } from './node_names.ts';
import { SHOWN } from './observations.ts';
import { type ExploredNode } from './steps.ts';

/** `R0 -> R1 prepare op 4 append, view 0`; `R1 times out: normal_heartbeat`. */
export function actionText(action: ExploreAction, replicaCount: number): string {
  const who = nameOf({ replicaCount }, action.node);
  switch (action.deed) {
    case 'start': return `${who} starts`;
    case 'deliver': {
      const from = nameOf({ replicaCount }, action.from ?? 0);
      const copy = action.keeps === true ? ', a copy stays in flight' : '';
      return `${from} -> ${who} ${action.text ?? ''}, view ${action.view ?? 0}${copy}`;
    }
    case 'timer': return `${who} times out: ${action.timer ?? ''}`;
    case 'crash': return `${who} crashes${action.kept === true ? ' and keeps what it had not synced' : ''}`;
    case 'io': return `${who} has its oldest I/O done`;
    default: return `${who} begins its next operation`;
  }
}

/** `: commits op 4; sends reply 1 op 4 to C0; is normal in view 1, ...`; empty when nothing came of it. */
export function outcomeText(live: LiveCluster, { step, sent, shown }: Happened): string {
  const { cluster } = live;
  const parts: string[] = [];
  const committed = shown.filter(({ kind }) => kind === SHOWN.committed).map(({ a }) => a);
  if (committed.length > 0) parts.push(`commits op ${committed.join(', ')}`);
  if (shown.some(({ kind }) => kind === SHOWN.returned)) parts.push('has its answer');
  const targets = new Map<string, string[]>();
  for (const message of sent) {
    const { text } = cluster.messages.name(message);
    const to = targets.get(text) ?? [];
    to.push(nameOf(cluster, cluster.messages.to(message)));
    targets.set(text, to);
  }
  for (const [text, to] of targets) parts.push(`sends ${text} to ${to.join(', ')}`);
  if (live.finding === null) parts.push(`is ${(cluster.nodes[step.node] as ExploredNode).facts().summary}`);
  return parts.length === 0 ? '' : `: ${parts.join('; ')}`;
}
