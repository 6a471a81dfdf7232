/** A server as a process of its own, so that it can be killed: prints one line of JSON when it is ready. */
import { createLog } from '../../src/base/log.ts';
import { startServer } from '../../src/server/server.ts';

const [folder = '', port = '0'] = process.argv.slice(2);
const { CLOUDSPAN_TEST_API_RATE: rate } = process.env;
const server = await startServer({
  folder,
  listen: { host: '127.0.0.1', port: Number(port) },
  ...(rate === undefined ? {} : { apiRate: Number(rate) }),
  log: createLog('server', process.env.CLOUDSPAN_LOG ?? 'error'),
});
process.once('SIGTERM', () => void server.close());
const { url, fingerprint, pin, firstPassword } = server;
process.stdout.write(`${JSON.stringify({ url, fingerprint, pin, firstPassword })}\n`);
