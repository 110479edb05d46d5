/**
 * `WebAssembly.Memory`, used without any WebAssembly: page aligned, shared between threads, and
 * growing in place, so that views made earlier stay valid. The part of its interface used here is
 * declared by hand because the DOM's type library, which has it, does not belong in this program.
 */
export interface SharedMemory {
  /** Covers the memory as of the last `grow` seen by this thread. */
  readonly buffer: SharedArrayBuffer;
  /** In pages of 64 KiB; growing by 0 refreshes `buffer` after another thread grew the memory. */
  grow(pages: number): number;
}

export const SHARED_PAGE = 65_536;

interface MemoryConstructor {
  new (descriptor: { initial: number; maximum: number; shared: true }): SharedMemory;
}

/** Address space is reserved for `bytesMax`; memory is taken as it is touched. */
export function createSharedMemory(bytesMax: number): SharedMemory {
  const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: MemoryConstructor } }).WebAssembly;
  return new Memory({ initial: 1, maximum: Math.ceil(bytesMax / SHARED_PAGE), shared: true });
}
