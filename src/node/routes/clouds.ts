import { probeCertificate } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';
import type { Way } from '../../model/proxy.ts';
import type { StoreUsage } from '../../transfer/store/store.ts';
import type { Call, Handlers } from '../api.ts';
import { type DriverList, findDriver } from '../drivers.ts';
import { type SteadyCloud, steady } from '../retry.ts';
import type { Sessions } from '../sessions.ts';
import { checkStorage } from '../storage-check.ts';
import { judgeOf, judgeRow } from '../work/removal.ts';

type CloudHandlers = Pick<
  Handlers,
  | 'probe'
  | 'openSession'
  | 'closeSession'
  | 'getObject'
  | 'describe'
  | 'placement'
  | 'checkExport'
  | 'checkImport'
  | 'power'
  | 'lookAt'
  | 'listMarked'
  | 'removeMarked'
  | 'discardSource'
  | 'checkRemoval'
>;

type Facet = 'power' | 'exports' | 'imports' | 'objects' | 'sources';

const CANNOT: Record<Facet, string> = {
  power: 'switches no machines on or off',
  exports: 'gives nothing away',
  imports: 'takes nothing in',
  objects: 'tells nothing of single objects',
  sources: 'sets no source of a move aside',
};

/** Questions about clouds: those of one session each, and how they are reached. */
export function cloudRoutes(
  sessions: Sessions,
  drivers: DriverList,
  way: Way,
  storage: () => StoreUsage,
): CloudHandlers {
  const withCloud = async <T>(call: Call, ask: (cloud: SteadyCloud) => Promise<T>): Promise<T> => {
    using borrowed = sessions.borrow(call.server, call.parameters.cloud ?? '');
    return await ask(steady(borrowed.cloud));
  };
  const object = (call: Call) => call.parameters.object ?? '';
  return {
    async probe({ body, signal }) {
      const endpoint = findDriver(drivers, body.driver).endpoint(body.options);
      return { certificate: endpoint === null ? null : await probeCertificate(endpoint, signal, { way }) };
    },
    openSession: ({ server, parameters, body }) => sessions.open(server, parameters.cloud ?? '', body),
    async closeSession({ server, parameters }) {
      sessions.close(server, parameters.cloud ?? '');
      return {};
    },
    getObject: (call) => withCloud(call as Call, (cloud) => cloud.get(object(call as Call), call.signal)),
    describe: (call) =>
      withCloud(call as Call, (cloud) =>
        facet(cloud, 'exports', call as Call).describe(object(call as Call), call.signal),
      ),
    placement: (call) =>
      withCloud(call as Call, (cloud) =>
        facet(cloud, 'imports', call as Call).placement(object(call as Call), call.signal),
      ),
    checkExport: (call) =>
      withCloud(call as Call, (cloud) =>
        facet(cloud, 'exports', call as Call).check(object(call as Call), call.signal),
      ),
    checkImport: (call) =>
      withCloud(call as Call, async (cloud) => {
        const { order, description } = call.body;
        const imports = facet(cloud, 'imports', call as Call);
        const checks = await imports.check({ ...order, description }, call.signal);
        return [...checks, checkStorage(description, storage(), imports.walks)];
      }),
    async power(call) {
      await withCloud(call as Call, (cloud) =>
        facet(cloud, 'power', call as Call).apply(object(call as Call), call.body.action, call.signal),
      );
      return {};
    },
    lookAt: (call) =>
      withCloud(call as Call, async (cloud) => ({
        seen: await facet(cloud, 'objects', call as Call).look(object(call as Call), call.signal),
      })),
    listMarked: (call) =>
      withCloud(call as Call, async (cloud) => ({
        objects: await facet(cloud, 'objects', call as Call).marked(call.signal),
      })),
    async removeMarked(call) {
      await withCloud(call as Call, (cloud) =>
        facet(cloud, 'objects', call as Call).remove(object(call as Call), call.body.marker, call.signal),
      );
      return {};
    },
    async discardSource(call) {
      await withCloud(call as Call, (cloud) =>
        facet(cloud, 'sources', call as Call).discard(object(call as Call), call.body.version, call.signal),
      );
      return {};
    },
    checkRemoval: (call) =>
      withCloud(call as Call, async (cloud) => {
        const objects = facet(cloud, 'objects', call as Call);
        const judge = judgeOf({ ...cloud, objects }, call.body.rows, call.signal);
        const verdicts = [];
        for (const row of call.body.rows) verdicts.push(await judgeRow(judge, row));
        return { verdicts };
      }),
  };
}

function facet<Name extends Facet>(cloud: SteadyCloud, name: Name, call: Call): NonNullable<SteadyCloud[Name]> {
  const found = cloud[name];
  if (found === undefined) throw new Fault('cloud.unsupported', `cloud ${call.parameters.cloud} ${CANNOT[name]}`);
  return found;
}
