import { Fieldset, Select, Table, Text } from '@mantine/core';
import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import type { PackageDescription } from '../../model/machine.ts';
import { splitPath } from '../../model/path.ts';
import type { ObjectView } from '../../protocol/api/objects.ts';
import { FaultNote } from '../fault.tsx';
import { Waiting } from '../loaded.tsx';
import { api } from '../server.ts';
import { words } from '../words.ts';

/** The hardware of the source as its cloud tells it. */
export function useDescription(source: ObjectView | undefined): UseQueryResult<PackageDescription> {
  return useQuery({
    queryKey: ['description', source?.cloud, source?.id],
    enabled: source !== undefined,
    queryFn: async ({ signal }) => {
      const { description } = await api.description({ cloud: source?.cloud ?? '', object: source?.id ?? '' }, signal);
      return description as PackageDescription;
    },
  });
}

interface Props {
  description: UseQueryResult<PackageDescription>;
  destination: ObjectView | undefined;
  value: Record<string, string | null>;
  onChange: (value: Record<string, string | null>) => void;
}

/** One row per network of the source: where its NICs go at the destination. */
export function NetworkMapping({ description, destination, value, onChange }: Props) {
  const targets = useQuery({
    queryKey: ['objects', destination?.cloud, 'networks'],
    enabled: destination !== undefined,
    queryFn: async ({ signal }) =>
      (await api.listObjects({ query: { cloud: destination?.cloud ?? '', kinds: 'network' } }, signal)).objects,
  });
  if (description.isError) return <FaultNote error={description.error} />;
  if (!description.isEnabled) return null;
  if (description.data === undefined) return <Waiting rows={2} />;
  const rows = usesOf(description.data);
  const choices = choicesFor(destination, targets.data ?? []);
  return (
    <Fieldset legend={words.copy.networks}>
      {rows.length === 0 ? (
        <Text size="sm" c="dimmed">
          {words.copy.noNetworks}
        </Text>
      ) : (
        <Table aria-label={words.copy.networks} withRowBorders={false} verticalSpacing={4}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{words.copy.networkFrom}</Table.Th>
              <Table.Th>{words.copy.networkNics}</Table.Th>
              <Table.Th>{words.copy.networkTo}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map(({ network, nics }) => (
              <Table.Tr key={network}>
                <Table.Td>{network}</Table.Td>
                <Table.Td>
                  <Text size="xs" c="dimmed">
                    {nics.join(', ')}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <Select
                    size="xs"
                    aria-label={words.copy.mapping(network)}
                    placeholder={words.copy.disconnected}
                    clearable
                    searchable
                    disabled={destination === undefined}
                    data={choices}
                    value={value[network] ?? null}
                    onChange={(chosen) => onChange({ ...value, [network]: chosen })}
                  />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Fieldset>
  );
}

/** Networks with the NICs on them: `web-01 NIC 1`. */
function usesOf(description: PackageDescription): { network: string; nics: string[] }[] {
  const uses = new Map<string, string[]>(description.networks.map(({ name }) => [name, []]));
  for (const machine of description.machines)
    for (const nic of machine.nics)
      if (nic.network !== null)
        uses.set(nic.network, [...(uses.get(nic.network) ?? []), `${machine.name}: ${nic.label}`]);
  return [...uses].map(([network, nics]) => ({ network, nics }));
}

/** Networks that live in the same part of the cloud as the destination; all where none does. By name where that is enough. */
function choicesFor(destination: ObjectView | undefined, networks: ObjectView[]): { value: string; label: string }[] {
  const part = (object: ObjectView) => splitPath(object.path)[0];
  const near = networks.filter((one) => destination !== undefined && part(one) === part(destination));
  const list = near.length > 0 ? near : networks;
  const unique = (object: ObjectView) => networks.filter((one) => one.name === object.name).length === 1;
  return list.map((object) => ({
    value: unique(object) ? object.name : object.id,
    label: unique(object) ? object.name : object.path.slice(1),
  }));
}
