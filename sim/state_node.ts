/** What state trees are made of: plain JSON-able data, every branch by name. */
export type StateValue = null | boolean | number | string | StateNode;

/** Times are microseconds of virtual time. */
export interface StateNode {
  readonly [name: string]: StateValue;
}

export function isNode(value: StateValue): value is StateNode {
  return typeof value === 'object' && value !== null;
}
