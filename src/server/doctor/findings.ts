import type { Finding } from '../../protocol/api/doctor.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import type { NodeView } from '../../protocol/api/nodes.ts';
import type { Clouds } from '../clouds.ts';
import type { Nodes } from '../nodes.ts';

/** Part of the limit that transfers may hold before it is worth a word. */
const NEARLY_FULL = 0.9;
const LITTLE_SPACE_BYTES = 1024 ** 3;

/** What the server knows already to be not well. */
export function findingsOf(nodes: Pick<Nodes, 'list'>, clouds: Pick<Clouds, 'list'>, waiting: JobView[]): Finding[] {
  const seen = nodes.list();
  return [...seen.flatMap((node) => ofNode(node, clouds)), ...ofClouds(seen, clouds), ...waiting.map(ofJob)];
}

function ofNode(node: NodeView, clouds: Pick<Clouds, 'list'>): Finding[] {
  const { id, name, connected, storage } = node;
  if (connected) return storage === undefined ? [] : ofStorage(name, storage);
  const behind = clouds.list().flatMap((cloud) => (cloud.node === id ? cloud.name : []));
  const reached = behind.length === 0 ? '' : `; not reached without it: ${behind.join(', ')}`;
  return [
    {
      severity: 'fail',
      about: 'node',
      subject: name,
      text: `It has no link to the server${reached}.`,
      remedy: 'Start the node, or check the way between the two; its log says what it tries.',
    },
  ];
}

function ofStorage(subject: string, storage: NonNullable<NodeView['storage']>): Finding[] {
  const { limitBytes, usedBytes, freeDiskBytes, liveBytes = 0, reservedBytes = 0 } = storage;
  const needed = liveBytes + reservedBytes;
  const found = (severity: Finding['severity'], text: string): Finding => ({
    severity,
    about: 'storage',
    subject,
    text,
    remedy: 'Free space on its disk, or start it with a larger --storage-limit; what waits goes on by itself.',
  });
  if (needed >= limitBytes) return [found('fail', 'Its transfer storage is full: transfers wait for each other.')];
  if (freeDiskBytes < Math.min(LITTLE_SPACE_BYTES, limitBytes - usedBytes)) {
    return [found('fail', 'The disk under its transfer storage is full before the limit of the storage is reached.')];
  }
  if (needed < limitBytes * NEARLY_FULL) return [];
  const percent = Math.floor((needed / limitBytes) * 100);
  return [found('warn', `Running transfers need ${percent} % of its transfer storage.`)];
}

/** A cloud behind a node that is away is told with the node. */
function ofClouds(nodes: readonly NodeView[], clouds: Pick<Clouds, 'list'>): Finding[] {
  const linked = new Set(nodes.flatMap(({ id, connected }) => (connected ? id : [])));
  return clouds.list().flatMap(({ name, node, state, fault }): Finding[] => {
    if (state === 'connected' || !linked.has(node)) return [];
    return [
      {
        severity: state === 'failed' ? 'fail' : 'warn',
        about: 'cloud',
        subject: name,
        text: fault?.message ?? 'It is being signed in to.',
        remedy: fault?.remedy ?? 'Wait a moment.',
      },
    ];
  });
}

function ofJob({ number, title, steps }: JobView): Finding {
  const step = steps.find(({ state }) => state === 'running');
  return {
    severity: 'warn',
    about: 'job',
    subject: String(number),
    text: `${title} waits${step?.text === undefined ? '' : `: ${step.text}`}`,
    remedy: `It goes on by itself when that is mended; see cloudspan jobs show ${number}.`,
  };
}
