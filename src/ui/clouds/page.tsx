import { Alert, Badge, Code, Grid, Paper, Stack, Text } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import type { CloudView } from '../../protocol/api/clouds.ts';
import { Heading } from '../heading.tsx';
import { Loaded } from '../loaded.tsx';
import { Tree, type TreeNode } from '../tree.tsx';
import { words } from '../words.ts';
import { useClouds, useContainers } from './inventory.ts';
import { Place } from './place.tsx';
import { placeId, placeOf, placeTree } from './place-tree.ts';

const ALL = 'all';
const STATE_COLOR = { connected: 'green', connecting: 'yellow', failed: 'red' } as const;

/** All clouds as a tree on the left, what is in the chosen place on the right. */
export function CloudsPage() {
  const clouds = useClouds();
  return (
    <Stack>
      <Heading text={words.clouds.title} />
      <Loaded query={clouds}>{(list) => (list.length === 0 ? <NoCloud /> : <Places clouds={list} />)}</Loaded>
    </Stack>
  );
}

function NoCloud() {
  return (
    <Alert title={words.clouds.none} maw={640}>
      <Text size="sm">{words.clouds.noneHelp}</Text>
      <Code block mt="xs">
        {words.clouds.noneCommand}
      </Code>
    </Alert>
  );
}

function Places({ clouds }: { clouds: CloudView[] }) {
  const search = useSearch({ from: '/clouds' });
  const navigate = useNavigate();
  const containers = useContainers(clouds);
  const cloud = clouds.find((one) => one.id === search.cloud);
  const container =
    cloud === undefined
      ? undefined
      : containers.objects.find((one) => one.cloud === cloud.id && one.id === search.parent);
  const tree: TreeNode[] = [
    { id: ALL, label: words.clouds.all, glyph: 'pool', children: [] },
    ...placeTree(clouds, containers.objects, (object, one) =>
      object === null && one.state !== 'connected' ? { mark: <CloudState cloud={one} /> } : {},
    ),
  ];
  const choose = (id: string) => {
    const place = placeOf(id);
    void navigate({
      to: '/clouds',
      search: id === ALL ? {} : { cloud: place.cloud, ...(place.object === undefined ? {} : { parent: place.object }) },
    });
  };
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, sm: 4, lg: 3 }}>
        <Paper withBorder p="xs" component="nav" aria-label={words.clouds.tree}>
          <Tree
            label={words.clouds.tree}
            nodes={tree}
            chosen={cloud === undefined ? ALL : placeId(cloud.id, container?.id)}
            onChoose={choose}
          />
        </Paper>
      </Grid.Col>
      <Grid.Col span={{ base: 12, sm: 8, lg: 9 }}>
        <Stack gap="sm">
          {(cloud === undefined ? clouds : [cloud]).map((one) => (
            <CloudFault key={one.id} cloud={one} />
          ))}
          <Place
            key={`${cloud?.id} ${container?.id}`}
            clouds={clouds}
            cloud={cloud}
            container={container}
            containers={containers.objects}
          />
        </Stack>
      </Grid.Col>
    </Grid>
  );
}

function CloudState({ cloud }: { cloud: CloudView }) {
  return (
    <Badge size="xs" color={STATE_COLOR[cloud.state]} ml="auto" style={{ flex: 'none' }}>
      {words.clouds.state[cloud.state]}
    </Badge>
  );
}

function CloudFault({ cloud }: { cloud: CloudView }) {
  if (cloud.fault === undefined) return null;
  return (
    <Alert color={cloud.state === 'failed' ? 'red' : 'yellow'} title={`${cloud.name}: ${cloud.fault.message}`}>
      <Text size="sm">
        {words.fault.remedy}: {cloud.fault.remedy}
      </Text>
    </Alert>
  );
}
