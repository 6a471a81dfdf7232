import { expect, test } from 'vitest';
import { createLog } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { logRoutes } from './logs.ts';

test('the log level is changed at the node that whoever asks means, and at none where two tenants have one so called', async () => {
  const asked: string[] = [];
  const nodes = {
    get: () => ({ id: 'of another tenant', name: 'edge' }),
    client: (id: string) => ({
      setLogLevel: async () => {
        asked.push(id);
        return { level: 'debug' };
      },
    }),
  };
  const { setLogLevel } = logRoutes(nodes as never, createLog('test', 'silent'));
  const set = (get: (node: string) => unknown) =>
    setLogLevel({ body: { node: 'edge', level: 'debug' }, sight: { nodes: { get } } } as never);
  expect(await set(() => ({ id: 'n1', name: 'edge' }))).toEqual({ node: 'edge', log: { level: 'debug' } });
  const ambiguous = () => {
    throw new Fault('object.ambiguous', 'several tenants have a node "edge"');
  };
  await expect(set(ambiguous)).rejects.toThrow(/several tenants/);
  expect(asked).toEqual(['n1']);
});
