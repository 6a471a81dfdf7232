import {
  Button,
  Checkbox,
  Code,
  CopyButton,
  Fieldset,
  Grid,
  Group,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { CopyRequest } from '../../protocol/api/jobs.ts';
import { referenceOf, useClouds, useContainers, useMachines } from '../clouds/inventory.ts';
import { FaultNote } from '../fault.tsx';
import { Heading } from '../heading.tsx';
import { Loaded } from '../loaded.tsx';
import { api } from '../server.ts';
import { words } from '../words.ts';
import { ChecksPanel } from './checks.tsx';
import { commandOf } from './command.ts';
import { DestinationField } from './destination.tsx';
import { type CopyForm, emptyForm, requestOf, SWITCHES } from './form.ts';
import { NetworkMapping, useDescription } from './networks.tsx';
import { PlacementFields } from './placement.tsx';
import { usePreflight } from './preflight.ts';
import { objectAt, SourceField } from './source.tsx';

export function CopyPage() {
  const search = useSearch({ from: '/copy' });
  const clouds = useClouds();
  return (
    <Stack>
      <Heading text={words.copy.title} />
      <Loaded query={clouds}>
        {(list) => <Form key={search.source} clouds={list} source={search.source ?? ''} />}
      </Loaded>
    </Stack>
  );
}

function Form({ clouds, source: first }: { clouds: CloudView[]; source: string }) {
  const [form, setForm] = useState(() => emptyForm(first));
  const change = (part: Partial<CopyForm>) => setForm((before) => ({ ...before, ...part }));
  const machines = useMachines(clouds);
  const containers = useContainers(clouds);
  const source = objectAt(form.source, clouds, machines.objects);
  const description = useDescription(source);
  const container = containers.objects.find(
    (object) => object.cloud === form.place?.cloud && object.id === form.place.object,
  );
  const cloud = clouds.find((one) => one.id === container?.cloud);
  const path = cloud === undefined || container === undefined ? '' : referenceOf(cloud, container, containers.objects);
  const request = form.source === '' || path === '' ? null : requestOf(form, path);
  return (
    <Grid gap="lg">
      <Grid.Col span={{ base: 12, md: 7 }}>
        <Stack>
          {[...machines.errors, ...containers.errors].map((error) => (
            <FaultNote key={String(error)} error={error} />
          ))}
          <SourceField
            clouds={clouds}
            machines={machines.objects}
            value={form.source}
            onChange={(source) => change({ source, networks: {} })}
          />
          <DestinationField
            clouds={clouds}
            containers={containers.objects}
            value={form.place}
            path={path}
            onChange={(place) =>
              change({ place, placement: {}, ...(place.cloud === form.place?.cloud ? {} : { networks: {} }) })
            }
          />
          <TextInput
            label={words.copy.name}
            placeholder={source?.name ?? ''}
            value={form.name}
            onChange={(event) => change({ name: event.currentTarget.value })}
          />
          <NetworkMapping
            description={description}
            destination={container}
            value={form.networks}
            onChange={(networks) => change({ networks })}
          />
          {container !== undefined && (
            <PlacementFields
              cloud={container.cloud}
              container={container.id}
              value={form.placement}
              onChange={(placement) => change({ placement })}
            />
          )}
          <Fieldset legend={words.copy.options}>
            <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md" verticalSpacing="xs">
              {SWITCHES.map((name) => (
                <Checkbox
                  key={name}
                  label={words.copy[name]}
                  checked={form.switches[name]}
                  onChange={(event) => change({ switches: { ...form.switches, [name]: event.currentTarget.checked } })}
                />
              ))}
            </SimpleGrid>
          </Fieldset>
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 5 }}>
        <Launch request={request} />
      </Grid.Col>
    </Grid>
  );
}

/** The checks, the command, and the button; stays in sight beside a long form. */
function Launch({ request }: { request: CopyRequest | null }) {
  const navigate = useNavigate();
  const { query, passed } = usePreflight(request);
  const start = useMutation({
    mutationFn: (body: CopyRequest) => api.startJob({ body }),
    onSuccess: (job) => navigate({ to: '/jobs/$job', params: { job: job.id } }),
  });
  return (
    <Stack style={{ position: 'sticky', top: 68 }}>
      <ChecksPanel query={query} />
      {start.isError && <FaultNote error={start.error} />}
      <Button
        onClick={() => request !== null && start.mutate(request)}
        loading={start.isPending || start.isSuccess}
        disabled={request === null || !passed}
      >
        {words.copy.start}
      </Button>
      {request !== null && (
        <div>
          <Group justify="space-between" mb={4}>
            <Text size="sm" c="dimmed">
              {words.copy.sameAsCommand}
            </Text>
            <CopyButton value={commandOf(request)}>
              {({ copied, copy }) => (
                <Button size="compact-xs" variant="default" onClick={copy}>
                  {copied ? words.copy.copied : words.copy.copyCommand}
                </Button>
              )}
            </CopyButton>
          </Group>
          <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
            {commandOf(request)}
          </Code>
        </div>
      )}
    </Stack>
  );
}
