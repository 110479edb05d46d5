/** Makes a stream, appends to it and reads it back. Run `kmb dev` first; the README shows the output. */
import { connect, RequestError } from '../adapters/client.ts'; // Published: from 'kimberlite'.

const client = await connect({ addresses: process.env['KIMBERLITE_ADDRESSES'] ?? '3901,3902,3903' });
try {
  const stream = await client.createStream(1, 'returns');
  const { offset } = await client.append(1, stream, ['order 17 came back', 'order 18 came back']);
  await client.append(1, stream, ['order 17 repaid'], { expectedOffset: offset + 2 });

  const { events } = await client.read(1, stream);
  for (const event of events) console.log(event.offset, Buffer.from(event.payload).toString());

  // Somebody else was faster? Then nothing is written, and the detail is the offset to try.
  await client.append(1, stream, ['too late'], { expectedOffset: 0 });
} catch (error) {
  if (!(error instanceof RequestError)) throw error;
  console.log(error.message);
} finally {
  await client.close();
}
