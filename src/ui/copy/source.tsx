import { Group, Select, Text } from '@mantine/core';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { ObjectView } from '../../protocol/api/objects.ts';
import { referenceOf } from '../clouds/inventory.ts';
import { Glyph } from '../glyph.tsx';
import { bytesText } from '../units.ts';
import { words } from '../words.ts';

const SHOWN = 100;

interface Props {
  clouds: CloudView[];
  machines: ObjectView[];
  value: string;
  onChange: (source: string) => void;
}

/** Every machine, vApp and template of every cloud, found by a part of its name or path. */
export function SourceField({ clouds, machines, value, onChange }: Props) {
  const items = clouds.flatMap((cloud) =>
    machines
      .filter((object) => object.cloud === cloud.id && object.abilities.includes('export'))
      .map((object) => ({ value: referenceOf(cloud, object, machines), label: labelOf(cloud, object), object })),
  );
  const chosen = items.find((item) => item.value === value)?.object;
  const data = value === '' || chosen !== undefined ? items : [...items, { value, label: value }];
  return (
    <div>
      <Select
        label={words.copy.source}
        description={words.copy.sourceHelp}
        data={data}
        value={value === '' ? null : value}
        onChange={(next) => onChange(next ?? '')}
        searchable
        limit={SHOWN}
        nothingFoundMessage={words.table.nothingFits}
        required
      />
      {chosen?.machine !== undefined && (
        <Group gap={6} mt={6} c="dimmed" wrap="nowrap">
          <Glyph name={chosen.kind} />
          <Text size="sm">{factsOf(chosen)}</Text>
        </Group>
      )}
    </div>
  );
}

function labelOf(cloud: CloudView, object: ObjectView): string {
  return `${cloud.name}${object.path}${object.kind === 'vm' ? '' : ` (${words.kinds[object.kind]})`}`;
}

function factsOf(object: ObjectView): string {
  const { machine } = object;
  if (machine === undefined) return '';
  return [
    words.kinds[object.kind],
    ...(object.kind === 'template' ? [] : [words.power[machine.power]]),
    ...(machine.machines === undefined ? [] : [words.clouds.machinesInside(machine.machines)]),
    `${words.clouds.disks(machine.disks)}, ${bytesText(machine.diskBytes)}`,
    ...(machine.guest === '' ? [] : [machine.guest]),
  ].join(' · ');
}

/** The object that a reference names, among those that are known. */
export function objectAt(source: string, clouds: CloudView[], machines: ObjectView[]): ObjectView | undefined {
  return machines.find((object) => {
    const cloud = clouds.find((one) => one.id === object.cloud);
    return cloud !== undefined && referenceOf(cloud, object, machines) === source;
  });
}
