import { Group, Text } from '@mantine/core';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { ObjectView } from '../../protocol/api/objects.ts';
import { Glyph } from '../glyph.tsx';
import { ButtonLink, TextLink } from '../link.tsx';
import { type Column, SortedTable } from '../sorted-table.tsx';
import { bytesText } from '../units.ts';
import { words } from '../words.ts';
import { referenceOf } from './inventory.ts';
import { PowerMenu } from './power.tsx';

/** Kinds that hold others, and so can be opened. */
const OPEN = new Set(['datacenter', 'folder', 'cluster', 'host', 'pool', 'vdc', 'catalog', 'vapp']);

interface Props {
  clouds: CloudView[];
  objects: ObjectView[];
  filter: string;
  /** Paths are shown from here on. */
  from: string | undefined;
  ofMachines: boolean;
}

export function ObjectTable({ clouds, objects, filter, from, ofMachines }: Props) {
  const names = new Map(clouds.map((cloud) => [cloud.id, cloud]));
  const wanted = filter.trim().toLowerCase();
  const shown = objects.filter((object) => textOf(object, names).includes(wanted));
  if (shown.length === 0) {
    const text =
      objects.length > 0 ? words.table.nothingFits : ofMachines ? words.clouds.noMachines : words.clouds.empty;
    return <Text c="dimmed">{text}</Text>;
  }
  const columns = columnsFor(names, objects, from).filter(
    (column) =>
      column.key === 'name' ||
      column.key === 'actions' ||
      objects.some((object) => column.value?.(object) !== undefined),
  );
  return (
    <>
      <SortedTable
        label={ofMachines ? words.clouds.machines : words.clouds.contents}
        columns={columns}
        rows={shown}
        rowKey={(object) => `${object.cloud} ${object.id}`}
        sort={{ key: 'name', down: false }}
        minWidth={ofMachines ? 720 : 420}
      />
      <Text size="xs" c="dimmed" role="status">
        {words.clouds.count(shown.length)}
      </Text>
    </>
  );
}

function textOf(object: ObjectView, clouds: Map<string, CloudView>): string {
  const { machine } = object;
  return [
    clouds.get(object.cloud)?.name,
    object.path,
    words.kinds[object.kind],
    machine?.guest,
    machine?.hostName,
    ...(machine?.ips ?? []),
    ...(machine?.nics ?? []).flatMap((nic) => [nic.mac, nic.network]),
  ]
    .join('\n')
    .toLowerCase();
}

function columnsFor(
  clouds: Map<string, CloudView>,
  objects: ObjectView[],
  from: string | undefined,
): Column<ObjectView>[] {
  const facts = (object: ObjectView) => object.machine;
  const ofTemplate = (object: ObjectView) => object.kind === 'template';
  return [
    {
      key: 'name',
      label: words.clouds.name,
      value: (object) => object.name,
      cell: (object) => <Name object={object} cloud={clouds.get(object.cloud)} from={from} />,
    },
    {
      key: 'kind',
      label: words.clouds.kind,
      value: (object) => words.kinds[object.kind],
      cell: (object) => words.kinds[object.kind],
    },
    {
      key: 'power',
      label: words.clouds.power,
      value: (object) => (ofTemplate(object) ? undefined : facts(object)?.power),
      cell: (object) => (ofTemplate(object) ? null : <PowerMenu object={object} />),
    },
    {
      key: 'cpus',
      label: words.clouds.cpus,
      numeric: true,
      value: (object) => facts(object)?.cpus,
      cell: (object) => facts(object)?.cpus,
    },
    {
      key: 'memory',
      label: words.clouds.memory,
      numeric: true,
      value: (object) => facts(object)?.memoryMib,
      cell: ({ machine }) => (machine === undefined ? '' : bytesText(machine.memoryMib * 1048576)),
    },
    {
      key: 'size',
      label: words.clouds.size,
      numeric: true,
      value: (object) => facts(object)?.diskBytes ?? object.capacity?.totalBytes,
      cell: (object) => <Size object={object} />,
    },
    {
      key: 'guest',
      label: words.clouds.guest,
      value: (object) => facts(object)?.guest || undefined,
      cell: (object) => (
        <Text size="sm" truncate maw={170} title={facts(object)?.guest}>
          {facts(object)?.guest}
        </Text>
      ),
    },
    {
      key: 'addresses',
      label: words.clouds.addresses,
      value: (object) => facts(object)?.ips[0],
      cell: (object) => facts(object)?.ips.join(', '),
    },
    {
      key: 'facts',
      label: words.clouds.facts,
      value: (object) => (object.machine === undefined ? factsText(object) || undefined : undefined),
      cell: (object) => (
        <Text size="xs" c="dimmed">
          {object.machine === undefined ? factsText(object) : ''}
        </Text>
      ),
    },
    ...(objects.some((object) => object.abilities.includes('export'))
      ? [
          {
            key: 'actions',
            label: words.clouds.actions,
            cell: (object: ObjectView) => (
              <Actions object={object} objects={objects} cloud={clouds.get(object.cloud)} />
            ),
          },
        ]
      : []),
  ];
}

function factsText(object: ObjectView): string {
  return Object.entries(object.facts ?? {})
    .map(([name, value]) => `${name}: ${value}`)
    .join(' · ');
}

function Name({ object, cloud, from }: { object: ObjectView; cloud: CloudView | undefined; from: string | undefined }) {
  const folder = object.path.slice(0, object.path.lastIndexOf('/'));
  const where = from === undefined ? `${cloud?.name ?? ''}${folder}` : folder.slice(from.length + 1);
  return (
    <Group gap={8} wrap="nowrap">
      <Glyph name={object.kind} />
      <div style={{ minWidth: 0 }}>
        {OPEN.has(object.kind) ? (
          <TextLink size="sm" fw={500} to="/clouds" search={{ cloud: object.cloud, parent: object.id }}>
            {object.name}
          </TextLink>
        ) : (
          <Text size="sm" fw={500}>
            {object.name}
          </Text>
        )}
        <Text size="xs" c="dimmed" truncate maw={220} title={where}>
          {where}
        </Text>
      </div>
    </Group>
  );
}

function Size({ object }: { object: ObjectView }) {
  const { machine, capacity } = object;
  if (machine !== undefined) {
    return (
      <>
        {bytesText(machine.diskBytes)}
        <Text size="xs" c="dimmed">
          {words.clouds.disks(machine.disks)}
        </Text>
      </>
    );
  }
  if (capacity?.totalBytes === undefined) return null;
  return (
    <>
      {bytesText(capacity.totalBytes)}
      {capacity.freeBytes !== undefined && (
        <Text size="xs" c="dimmed">
          {bytesText(capacity.freeBytes)} {words.clouds.free}
        </Text>
      )}
    </>
  );
}

function Actions({
  object,
  objects,
  cloud,
}: {
  object: ObjectView;
  objects: ObjectView[];
  cloud: CloudView | undefined;
}) {
  if (cloud === undefined || !object.abilities.includes('export')) return null;
  return (
    <ButtonLink
      size="compact-xs"
      variant="default"
      to="/copy"
      search={{ source: referenceOf(cloud, object, objects) }}
      aria-label={words.clouds.copyOf(object.name)}
    >
      {words.clouds.copy}
    </ButtonLink>
  );
}
