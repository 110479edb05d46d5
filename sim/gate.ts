/** A gate of a scenario: whether a value meets it, and what it asks for in words. */
import { type Gate } from './plan.ts';

export function gateIsMet({ min, max }: Gate, value: number): boolean {
  return value >= (min ?? value) && value <= (max ?? value);
}

/** `client.replies at least 50`; without the share of the seeds, which is judged over a batch. */
export function gateInWords({ counter, min, max }: Gate): string {
  const parts: string[] = [];
  if (min !== undefined) parts.push(`at least ${min}`);
  if (max !== undefined) parts.push(`at most ${max}`);
  return `${counter} ${parts.join(', ')}`;
}
