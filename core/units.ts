/**
 * Branded numbers: an op cannot meet a view by accident, and every one is checked at birth.
 *
 * Arithmetic on a branded number returns a bare `number`; coming back through the constructor is
 * where overflow is caught. All are non-negative safe integers.
 */
import { assert } from './assert.ts';

declare const unit: unique symbol;

/** Position in the replicated log. Op 0 is the root prepare made by formatting. */
export type Op = number & { readonly [unit]: 'Op' };
/** A primary's term; u32 on the wire. */
export type View = number & { readonly [unit]: 'View' };
/** Member slot of a replica, 0..11. */
export type ReplicaIndex = number & { readonly [unit]: 'ReplicaIndex' };
/** Index into the journal ring, 0..journalSlots-1. */
export type Slot = number & { readonly [unit]: 'Slot' };
/** Integer microseconds. A JS number stays exact until the year 2255. */
export type Micros = number & { readonly [unit]: 'Micros' };

export function op(value: number): Op {
  assert(Number.isSafeInteger(value) && value >= 0, 'op: not a safe integer', value);
  return value as Op;
}

export function view(value: number): View {
  assert(value >= 0 && value <= 0xffff_ffff && Number.isInteger(value), 'view: not a u32', value);
  return value as View;
}

export function replicaIndex(value: number): ReplicaIndex {
  assert(value >= 0 && value < 12 && Number.isInteger(value), 'replica index: not in 0..11', value);
  return value as ReplicaIndex;
}

export function slot(value: number): Slot {
  assert(value >= 0 && Number.isInteger(value), 'slot: not an integer', value);
  return value as Slot;
}

export function micros(value: number): Micros {
  assert(Number.isSafeInteger(value) && value >= 0, 'micros: not a safe integer', value);
  return value as Micros;
}

export const MICROS_PER_MILLISECOND = 1_000;
export const MICROS_PER_SECOND = 1_000_000;

/** `max(a - b, 0)`: written `a ∸ b` in the protocol's specification. */
export function saturatingSub(a: number, b: number): number {
  return a > b ? a - b : 0;
}
