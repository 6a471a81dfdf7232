import { randomUUID } from 'node:crypto';
import { Fault } from '../../model/fault.ts';
import type { Clouds } from '../clouds.ts';
import { newMarker } from '../jobs/marker.ts';
import type { Handlers } from './bind.ts';

type Names = 'startReading' | 'getReading' | 'endReading';

const PREFIX = 'reading-';
const POLL_SECONDS = 2;

/**
 * A reading is a work of the cloud's node alone: it goes on while nobody asks, and is kept until it is ended. It belongs
 * to no job.
 */
export function readingRoutes(clouds: Clouds, owner: string): Pick<Handlers, Names> {
  const known = (reading: string) => {
    if (!reading.startsWith(PREFIX)) throw new Fault('object.missing', `there is no reading ${reading}`);
    return reading;
  };
  return {
    async startReading({ parameters: { cloud, object }, signal }) {
      const reading = `${PREFIX}${randomUUID()}`;
      const marker = newMarker(owner);
      await clouds.use(cloud, (node, id) => {
        const { owner: whose } = clouds.get(id);
        const body = { kind: 'read' as const, epoch: 1, owner: whose, job: reading, cloud: id, marker, object };
        return node.startWork({ work: reading, body }, signal);
      });
      return { reading };
    },
    async getReading({ parameters: { cloud, reading }, signal }) {
      const work = known(reading);
      const { phase, text, progress, fault, result } = await clouds.use(cloud, (node) =>
        node.getWork({ work, query: { revision: -1, seconds: POLL_SECONDS } }, signal),
      );
      if (fault?.code === 'session.missing') await clouds.reopen(cloud).catch(() => {});
      return {
        phase,
        text,
        ...(progress === undefined ? {} : { progress }),
        ...(fault === undefined ? {} : { fault }),
        ...(result === undefined ? {} : { disks: result.disks }),
        ...(result?.version === undefined ? {} : { version: result.version }),
      };
    },
    async endReading({ parameters: { cloud, reading }, signal }) {
      const work = known(reading);
      await clouds.use(cloud, async (node) => {
        let { phase, revision } = await node.cancelWork({ work, body: { epoch: 1 } }, signal);
        while (phase === 'running' || phase === 'waiting') {
          ({ phase, revision } = await node.getWork({ work, query: { revision, seconds: POLL_SECONDS } }, signal));
        }
        await node.forgetWork({ work }, signal);
      });
      return {};
    },
  };
}
