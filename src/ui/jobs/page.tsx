import { Alert, Card, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { JobView } from '../../protocol/api/jobs.ts';
import { Heading } from '../heading.tsx';
import { ButtonLink, TextLink } from '../link.tsx';
import { Loaded } from '../loaded.tsx';
import { api } from '../server.ts';
import { type Column, SortedTable } from '../sorted-table.tsx';
import { bytesText, secondsBetween, secondsText, timeText } from '../units.ts';
import { words } from '../words.ts';
import { isGoing, JobBar, partOf, StateBadge, useNow } from './state.tsx';

const WHICH = {
  all: () => true,
  running: isGoing,
  succeeded: (job: JobView) => job.state === 'succeeded',
  notSucceeded: (job: JobView) => job.state === 'failed' || job.state === 'cancelled',
};

export function JobsPage() {
  const jobs = useQuery({
    queryKey: ['jobs'],
    queryFn: async ({ signal }) => (await api.listJobs({ query: { limit: 500 } }, signal)).jobs,
  });
  return (
    <Stack>
      <Heading text={words.jobs.title} />
      <Loaded query={jobs}>{(list) => (list.length === 0 ? <NoJob /> : <Jobs jobs={list} />)}</Loaded>
    </Stack>
  );
}

function NoJob() {
  return (
    <Alert title={words.jobs.none} maw={480}>
      <Text size="sm" mb="sm">
        {words.jobs.noneHelp}
      </Text>
      <ButtonLink to="/copy" size="compact-sm">
        {words.jobs.startOne}
      </ButtonLink>
    </Alert>
  );
}

function Jobs({ jobs }: { jobs: JobView[] }) {
  const [which, setWhich] = useState<keyof typeof WHICH>('all');
  const [filter, setFilter] = useState('');
  const phone = useMediaQuery('(max-width: 640px)', undefined, { getInitialValueInEffect: false });
  const now = useNow(jobs.some(isGoing));
  const wanted = filter.trim().toLowerCase();
  const shown = jobs
    .filter(WHICH[which])
    .filter((job) => `#${job.number} ${job.title} ${job.source} ${job.user}`.toLowerCase().includes(wanted));
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="sm">
        <SegmentedControl
          size="xs"
          aria-label={words.jobs.which}
          value={which}
          onChange={(value) => setWhich(value as typeof which)}
          data={(Object.keys(WHICH) as (typeof which)[]).map((value) => ({ value, label: words.jobs[value] }))}
        />
        <TextInput
          size="xs"
          w={200}
          type="search"
          placeholder={words.jobs.filter}
          aria-label={words.jobs.filter}
          value={filter}
          onChange={(event) => setFilter(event.currentTarget.value)}
        />
      </Group>
      {shown.length === 0 ? (
        <Text c="dimmed">{words.table.nothingFits}</Text>
      ) : phone ? (
        shown.map((job) => <JobCard key={job.id} job={job} now={now} />)
      ) : (
        <SortedTable
          label={words.jobs.title}
          columns={columns(now)}
          rows={shown}
          rowKey={(job) => job.id}
          sort={{ key: 'number', down: true }}
          minWidth={820}
        />
      )}
    </Stack>
  );
}

const tookSeconds = (job: JobView, now: number) => secondsBetween(job.startedAt, job.endedAt, now);

function doneText(job: JobView): string {
  if (job.progress === undefined) return '';
  return `${bytesText(job.progress.doneBytes)} / ${bytesText(job.progress.totalBytes)}`;
}

const rateText = (job: JobView) => (job.bytesPerSecond === undefined ? '' : `${bytesText(job.bytesPerSecond)}/s`);
const leftText = (job: JobView) => (job.etaSeconds === undefined ? '' : secondsText(job.etaSeconds));

function columns(now: number): Column<JobView>[] {
  return [
    { key: 'number', label: words.jobs.number, width: 70, value: (job) => job.number, cell: (job) => `#${job.number}` },
    {
      key: 'what',
      label: words.jobs.what,
      value: (job) => job.title,
      cell: (job) => (
        <TextLink size="sm" fw={500} to="/jobs/$job" params={{ job: job.id }}>
          {job.title}
        </TextLink>
      ),
    },
    {
      key: 'state',
      label: words.jobs.state,
      width: 110,
      value: (job) => words.jobs.states[job.state],
      cell: (job) => <StateBadge state={job.state} />,
    },
    {
      key: 'progress',
      label: words.jobs.progress,
      width: 200,
      value: partOf,
      cell: (job) => (
        <>
          <JobBar job={job} />
          <Text size="xs" c="dimmed" className="numbers">
            {doneText(job)}
          </Text>
        </>
      ),
    },
    {
      key: 'rate',
      label: words.jobs.rate,
      numeric: true,
      width: 100,
      value: (job) => job.bytesPerSecond,
      cell: rateText,
    },
    { key: 'left', label: words.jobs.left, numeric: true, width: 80, value: (job) => job.etaSeconds, cell: leftText },
    {
      key: 'started',
      label: words.jobs.started,
      width: 190,
      value: (job) => job.startedAt ?? job.createdAt,
      cell: (job) => <span className="numbers">{timeText(job.startedAt ?? job.createdAt)}</span>,
    },
    {
      key: 'took',
      label: words.jobs.took,
      numeric: true,
      width: 80,
      value: (job) => tookSeconds(job, now),
      cell: (job) => secondsText(tookSeconds(job, now) ?? 0),
    },
  ];
}

function JobCard({ job, now }: { job: JobView; now: number }) {
  const numbers = [
    doneText(job),
    rateText(job),
    isGoing(job) && leftText(job) !== '' && `${words.jobs.left} ${leftText(job)}`,
  ];
  return (
    <Card withBorder padding="sm">
      <Group justify="space-between" wrap="nowrap" align="start" mb={6}>
        <TextLink size="sm" fw={500} to="/jobs/$job" params={{ job: job.id }}>
          #{job.number} {job.title}
        </TextLink>
        <StateBadge state={job.state} />
      </Group>
      <JobBar job={job} />
      <Group justify="space-between" mt={4} gap="xs">
        <Text size="xs" className="numbers">
          {numbers.filter((text) => typeof text === 'string' && text !== '').join(' · ')}
        </Text>
        <Text size="xs" c="dimmed" className="numbers">
          {secondsText(tookSeconds(job, now) ?? 0)}
        </Text>
      </Group>
    </Card>
  );
}
