import { Breadcrumbs, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { ObjectView } from '../../protocol/api/objects.ts';
import { FaultNote } from '../fault.tsx';
import { TextLink } from '../link.tsx';
import { Loaded, Waiting } from '../loaded.tsx';
import { api } from '../server.ts';
import { words } from '../words.ts';
import { useMachines } from './inventory.ts';
import { ObjectTable } from './table.tsx';

interface Props {
  clouds: CloudView[];
  /** Absent: all clouds. */
  cloud: CloudView | undefined;
  /** Absent: the whole cloud. */
  container: ObjectView | undefined;
  containers: ObjectView[];
}

/** A place of the tree: every machine below it, or what it holds itself. */
export function Place({ clouds, cloud, container, containers }: Props) {
  const [filter, setFilter] = useState('');
  const [wish, setWish] = useState<'machines' | 'contents' | null>(null);
  const machines = useMachines(cloud === undefined ? clouds : [cloud]);
  const below = machines.objects.filter(
    (object) => container === undefined || object.path.startsWith(`${container.path}/`),
  );
  const view =
    cloud === undefined
      ? 'machines'
      : (wish ?? (below.length > 0 || machines.pending || container === undefined ? 'machines' : 'contents'));
  const contents = useQuery({
    queryKey: ['objects', cloud?.id, 'children', container?.id ?? 'root'],
    enabled: cloud !== undefined && view === 'contents',
    queryFn: async ({ signal }) =>
      (await api.listObjects({ query: { cloud: cloud?.id ?? '', parent: container?.id ?? 'root' } }, signal)).objects,
  });
  const table = (objects: ObjectView[]) => (
    <ObjectTable
      clouds={clouds}
      objects={objects}
      filter={filter}
      from={container?.path}
      ofMachines={view === 'machines'}
    />
  );
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="sm">
        <Trail cloud={cloud} container={container} containers={containers} />
        <Group gap="sm">
          {cloud !== undefined && (
            <SegmentedControl
              size="xs"
              aria-label={words.clouds.show}
              value={view}
              onChange={(value) => setWish(value as typeof view)}
              data={[
                { value: 'machines', label: words.clouds.machines },
                { value: 'contents', label: words.clouds.contents },
              ]}
            />
          )}
          <TextInput
            size="xs"
            w={200}
            type="search"
            placeholder={words.clouds.filter}
            aria-label={words.clouds.filter}
            value={filter}
            onChange={(event) => setFilter(event.currentTarget.value)}
          />
        </Group>
      </Group>
      {view === 'machines' ? (
        <>
          {machines.errors.map((error) => (
            <FaultNote key={String(error)} error={error} />
          ))}
          {machines.pending && below.length === 0 ? <Waiting /> : table(below)}
        </>
      ) : (
        <Loaded query={contents}>{table}</Loaded>
      )}
    </Stack>
  );
}

/** The way from the cloud's root to here. */
function Trail({ cloud, container, containers }: Omit<Props, 'clouds'>) {
  if (cloud === undefined) return <Text fw={600}>{words.clouds.all}</Text>;
  const trail: ObjectView[] = [];
  for (let at = container; at !== undefined; ) {
    trail.unshift(at);
    const { parent } = at;
    at = containers.find((one) => one.cloud === cloud.id && one.id === parent && !trail.includes(one));
  }
  const about = cloud.product?.includes(cloud.version ?? '')
    ? cloud.product
    : [cloud.product, cloud.version].filter((text) => text !== undefined).join(' ');
  return (
    <div>
      <Breadcrumbs separatorMargin={6}>
        <Crumb cloud={cloud.id} name={cloud.name} last={trail.length === 0} />
        {trail.map((object, at) => (
          <Crumb
            key={object.id}
            cloud={cloud.id}
            parent={object.id}
            name={object.name}
            last={at === trail.length - 1}
          />
        ))}
      </Breadcrumbs>
      {container === undefined && (
        <Text size="xs" c="dimmed">
          {about}
        </Text>
      )}
    </div>
  );
}

function Crumb({ cloud, parent, name, last }: { cloud: string; parent?: string; name: string; last: boolean }) {
  if (last) return <Text fw={600}>{name}</Text>;
  return (
    <TextLink to="/clouds" search={parent === undefined ? { cloud } : { cloud, parent }}>
      {name}
    </TextLink>
  );
}
