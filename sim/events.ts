/**
 * Kinds of events in the queue, and what their numbers a, b, c mean.
 */
export const EVENT = {
  /**
   * node: receiver; a: message index; b: sender; c: bit 0 a duplicate, bit 1 corrupted, the rest
   * the packet's number on its link.
   */
  deliver: 0,
  /** node; a: timer. */
  timer: 1,
  /** node; a: slot of the operation on the node's disk. */
  storage: 2,
  /** node; a: storage token; b: result. The disk is done; the process was paused when it was. */
  storageNotice: 3,
  /** a: index in the plan's faults. */
  fault: 4,
  /** a: index in the plan's faults whose effect ends. */
  faultEnd: 5,
  /** node: crash now (a fault that waited for a write); a: restart delay; b: 1 if none came. */
  crash: 6,
  /** node: a process starts on this node's disk. */
  restart: 7,
  /** node: client (node number); its rest is over. */
  think: 8,
  /** Faults end, everything is healed. */
  heal: 9,
  /** Heal phase: has everything settled? */
  settle: 10,
  /** node: client (node number), which opens its session. */
  clientStart: 11,
} as const;

export const EVENT_NAMES: readonly string[] = [
  'deliver', 'timer', 'storage', 'notice', 'fault', 'fault_end', 'crash', 'restart', 'think',
  'heal', 'settle', 'client_start',
];
