import { parentPort } from 'node:worker_threads';
import { type DeflateWork, deflateBlock, type InflateWork, inflateBlock } from './grains.ts';

const port = parentPort;
if (!port) throw new Error('this file is run by a worker thread only');
port.on('message', (work: InflateWork | DeflateWork) => {
  const result = work.kind === 'inflate' ? inflateBlock(work) : deflateBlock(work);
  port.postMessage(result, [result.input, result.output]);
});
