/** Environment of transcripts about quorums, checkpoints and zones: pure functions, as tables. */
import {
  checkpointAfter,
  checkpointBefore,
  checkpointDurable,
  CONFIG_SMALL,
  prepareMax,
  prepareOkMax,
  quorumsOf,
  repairMin,
  type ClusterConfig,
} from '../../core/constants.ts';
import { type Command, type Environment } from '../transcript.ts';

export class Arithmetic implements Environment {
  private config: ClusterConfig = CONFIG_SMALL;

  run(command: Command): string {
    switch (command.name) {
      case 'config':
        this.config = {
          ...CONFIG_SMALL,
          checkpointInterval: command.number('interval'),
          pipelineMax: command.number('pipeline'),
          journalSlots: command.number('slots'),
        };
        return '';
      case 'quorums':
        return this.quorums(command.number('replicas'));
      case 'loses':
        return loses(command.number('replicas'), command.number('crashed'));
      case 'checkpoint':
        return this.checkpoint(command.number('op'));
      case 'journal':
        return this.journal(command.number('checkpoint'), command.number('commit'), command.number('head'));
      default:
        return command.unknown();
    }
  }

  private quorums(n: number): string {
    const q = quorumsOf(n);
    return `n=${n} replication=${q.replication} view_change=${q.viewChange} nack=${q.nack}`;
  }

  private checkpoint(op: number): string {
    const c = this.config;
    const durableAt = op === 0 ? 0 : op + c.pipelineMax + 1;
    return (
      `before=${checkpointBefore(c, op)} after=${checkpointAfter(c, op)}` +
      ` prepare_ok_max=${prepareOkMax(c, op)} prepare_max=${prepareMax(c, op)} durable_at=${durableAt}`
    );
  }

  /** The ring, a character a slot: which ops it must hold, may still receive, or has free. */
  private journal(checkpoint: number, commit: number, head: number): string {
    const c = this.config;
    const low = repairMin(c, checkpoint, commit, head);
    const high = prepareMax(c, checkpoint);
    const ring = Array.from({ length: c.journalSlots }, () => '.');
    // Downwards, so that what must be kept shows where two laps of the ring share a slot.
    for (let op = high; op >= low; op--) {
      ring[op % c.journalSlots] = op <= checkpoint ? 'c' : op <= commit ? 'C' : op <= head ? 'p' : '-';
    }
    const durable = checkpointDurable(c, checkpoint, commit) ? 'durable' : 'not durable';
    return `${ring.join('')}  holds ${low}..${head}, may receive up to ${high}; checkpoint ${durable}`;
  }
}

/** What is left with `crashed` replicas gone. */
function loses(n: number, crashed: number): string {
  const q = quorumsOf(n);
  const left = n - crashed;
  const commit = left >= q.replication ? 'commits' : 'stalls';
  const elect = left >= Math.max(q.viewChange, q.replication) ? 'elects another' : 'cannot elect';
  return `n=${n} left=${left}: ${commit} while its primary lives, ${elect} when it does not`;
}
