/**
 * Walks msgpack bytes before they are decoded and says what is wrong with them, or null.
 *
 * A decoder trusts declared lengths and recurses: five bytes can ask for an array of four thousand
 * million elements, and a megabyte of `0x91` nests a million deep. After this walk every length is
 * known to be backed by bytes, and depth and number of values are bounded. Iterative, no allocation
 * but one small stack. Format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
const DEPTH_MAX = 32;
const VALUES_MAX = 4 << 20;

export function msgpackProblem(bytes: Uint8Array): string | null {
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.byteLength;
  /** Values still missing at each depth; the outermost level is the one document. */
  const missing = [1];
  /** For a map: its levels alternate key and value, so a level's parity tells which comes next. */
  const isMap = [false];
  let at = 0;
  let values = 0;

  while (missing.length > 0) {
    const level = missing.length - 1;
    if (missing[level] === 0) {
      missing.pop();
      isMap.pop();
      continue;
    }
    const isKey = isMap[level] === true && (missing[level] as number) % 2 === 0;
    missing[level] = (missing[level] as number) - 1;
    if (++values > VALUES_MAX) return `more than ${VALUES_MAX} values`;
    if (at >= size) return `ends inside a value at byte ${at}`;
    const start = at;
    const code = bytes[at++] as number;
    let payload = 0;
    let children = -1;
    let map = false;

    if (code <= 0x7f || code >= 0xe0) payload = 0; // Small integers.
    else if (code <= 0x8f) [children, map] = [(code & 0x0f) * 2, true];
    else if (code <= 0x9f) children = code & 0x0f;
    else if (code <= 0xbf) payload = code & 0x1f; // Short text.
    else {
      const width = LENGTH_WIDTH[code - 0xc0] as number;
      if (width < 0) return `extension or unused code 0x${code.toString(16)} at byte ${start}`;
      if (at + width > size) return `ends inside a length at byte ${start}`;
      let length = FIXED_SIZE[code - 0xc0] as number;
      if (width === 1) length = bytes[at] as number;
      else if (width === 2) length = fields.getUint16(at, false);
      else if (width === 4) length = fields.getUint32(at, false);
      at += width;
      if (code === 0xdc || code === 0xdd) children = length;
      else if (code === 0xde || code === 0xdf) [children, map] = [length * 2, true];
      else payload = length;
    }
    if (isKey && !(code >= 0xa0 && code <= 0xbf) && code !== 0xd9) {
      return `a map key at byte ${start} is not short text`;
    }
    if (payload > size - at) {
      return `byte ${start} claims ${payload} bytes, ${size - at} are left`;
    }
    at += payload;
    if (children >= 0) {
      // Each child takes a byte at least.
      if (children > size - at) {
        return `byte ${start} claims ${children} values, ${size - at} bytes are left`;
      }
      if (missing.length >= DEPTH_MAX) return `nested deeper than ${DEPTH_MAX} at byte ${start}`;
      missing.push(children);
      isMap.push(map);
    }
  }
  return at === size ? null : `${size - at} bytes follow the last value`;
}

/** Bytes of the length field for codes 0xc0..0xdf; -1: not accepted (never used, extensions). */
const LENGTH_WIDTH = [
  0, -1, 0, 0, // nil, never used, false, true
  1, 2, 4, //     bin 8, 16, 32
  -1, -1, -1, //  ext 8, 16, 32
  0, 0, //        float 32, 64
  0, 0, 0, 0, //  uint 8, 16, 32, 64
  0, 0, 0, 0, //  int 8, 16, 32, 64
  -1, -1, -1, -1, -1, // fixext 1, 2, 4, 8, 16
  1, 2, 4, //     str 8, 16, 32
  2, 4, //        array 16, 32
  2, 4, //        map 16, 32
];

/** Bytes of the value itself where the code alone fixes them. */
const FIXED_SIZE = [
  0, 0, 0, 0,
  0, 0, 0,
  0, 0, 0,
  4, 8,
  1, 2, 4, 8,
  1, 2, 4, 8,
  0, 0, 0, 0, 0,
  0, 0, 0,
  0, 0,
  0, 0,
];
