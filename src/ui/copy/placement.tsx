import { Checkbox, Fieldset, Select, SimpleGrid, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { OptionDescription } from '../../model/option.ts';
import { FaultNote } from '../fault.tsx';
import { api } from '../server.ts';
import { words } from '../words.ts';

interface Props {
  cloud: string;
  container: string;
  value: Record<string, string>;
  onChange: (value: Record<string, string>) => void;
}

/** Fields that the destination itself describes. */
export function PlacementFields({ cloud, container, value, onChange }: Props) {
  const options = useQuery({
    queryKey: ['placement', cloud, container],
    queryFn: ({ signal }) => api.placement({ cloud, object: container }, signal),
  });
  if (options.isError) return <FaultNote error={options.error} />;
  const list = options.data?.options ?? [];
  if (list.length === 0) return null;
  const set = (name: string, chosen: string | null) => {
    const { [name]: _old, ...rest } = value;
    onChange(chosen === null || chosen === '' ? rest : { ...rest, [name]: chosen });
  };
  return (
    <Fieldset legend={words.copy.placement}>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md" verticalSpacing="xs">
        {list.map((option) => (
          <Field
            key={option.name}
            option={option}
            value={value[option.name]}
            onChange={(chosen) => set(option.name, chosen)}
          />
        ))}
      </SimpleGrid>
    </Fieldset>
  );
}

function Field({
  option,
  value,
  onChange,
}: {
  option: OptionDescription;
  value: string | undefined;
  onChange: (value: string | null) => void;
}) {
  const text = { label: option.label, description: option.help, required: option.required };
  if (option.type === 'switch') {
    return (
      <Checkbox
        {...text}
        checked={(value ?? option.default) === 'true'}
        onChange={(event) => onChange(event.currentTarget.checked ? 'true' : 'false')}
      />
    );
  }
  if (option.choices !== undefined) {
    return (
      <Select
        {...text}
        data={option.choices}
        value={value ?? option.default ?? null}
        onChange={onChange}
        searchable
        clearable={value !== undefined}
      />
    );
  }
  return (
    <TextInput
      {...text}
      value={value ?? ''}
      placeholder={option.default ?? ''}
      inputMode={option.type === 'number' ? 'numeric' : 'text'}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
