/** `node:zlib` in the browser, as far as the simulator uses it: CRC-32 (IEEE 802.3), from a table. */
const TABLE = makeTable();

function makeTable(): Int32Array {
  const table = new Int32Array(256);
  for (let n = 0; n < 256; n++) {
    let value = n;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    table[n] = value;
  }
  return table;
}

/** Continues from `previous`, the CRC of what comes before. Unsigned. */
export function crc32(data: Uint8Array, previous = 0): number {
  let crc = ~previous;
  for (let i = 0; i < data.length; i++) {
    crc = (crc >>> 8) ^ (TABLE[(crc ^ (data[i] as number)) & 255] as number);
  }
  return ~crc >>> 0;
}
