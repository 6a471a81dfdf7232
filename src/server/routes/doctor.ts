import { findingsOf } from '../doctor/findings.ts';
import { findOrphans, type OrphanContext, removeOrphan } from '../doctor/orphans.ts';
import type { Hold } from '../hold.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { Nodes } from '../nodes.ts';
import type { Handlers } from './bind.ts';

const MOST_JOBS = 500;

export function doctorRoutes(
  context: OrphanContext & { nodes: Nodes; jobs: Pick<Jobs, 'list'>; hold: Hold },
): Pick<Handlers, 'doctor' | 'removeOrphan'> {
  const { nodes, clouds, jobs, hold } = context;
  return {
    async doctor({ signal }) {
      const asked = await findOrphans(context, signal);
      const waiting = await jobs.list({ states: ['waiting'], user: null, text: null, below: null }, MOST_JOBS);
      const findings = [...findingsOf(nodes, clouds, waiting), ...asked.findings];
      return { well: findings.length === 0 && asked.orphans.length === 0, findings, orphans: asked.orphans };
    },
    async removeOrphan({ parameters: { cloud, object }, signal }) {
      hold.refuse('nothing is removed');
      await removeOrphan(context, cloud, object, signal);
      return {};
    },
  };
}
