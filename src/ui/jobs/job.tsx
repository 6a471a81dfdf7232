import { Alert, Button, Card, Group, List, Modal, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import type { JobView } from '../../protocol/api/jobs.ts';
import { CheckList } from '../copy/checks.tsx';
import { FaultNote } from '../fault.tsx';
import { Heading } from '../heading.tsx';
import { TextLink } from '../link.tsx';
import { Loaded } from '../loaded.tsx';
import { api } from '../server.ts';
import { bytesText, secondsBetween, secondsText, timeText } from '../units.ts';
import { words } from '../words.ts';
import { Disks } from './disks.tsx';
import { Log } from './log.tsx';
import { NewOnPurpose, Outcome } from './outcome.tsx';
import { isGoing, JobBar, StateBadge, useNow } from './state.tsx';
import { Steps } from './steps.tsx';

/** Everything about one job, live. */
export function JobPage() {
  const { job: id } = useParams({ from: '/jobs/$job' });
  const job = useQuery({ queryKey: ['job', id], queryFn: ({ signal }) => api.getJob({ job: id }, signal) });
  return (
    <Stack maw={1080}>
      <TextLink to="/jobs" size="sm">
        {words.jobs.back}
      </TextLink>
      <Loaded query={job} rows={8}>
        {(data) => <Job job={data} />}
      </Loaded>
    </Stack>
  );
}

function Job({ job }: { job: JobView }) {
  const now = useNow(isGoing(job));
  return (
    <>
      <Heading text={`#${job.number} ${job.title}`}>
        <Group gap="sm">
          <StateBadge state={job.state} />
          <Commands job={job} />
        </Group>
      </Heading>
      <JobBar job={job} size="lg" />
      <Numbers job={job} now={now} />
      {job.failure !== undefined && <Failure failure={job.failure} />}
      <Outcome job={job} />
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Steps steps={job.steps} now={now} />
        <Disks job={job} />
      </SimpleGrid>
      {job.checks.length > 0 && (
        <Card withBorder component="section" aria-label={words.jobs.checks}>
          <Title order={2} size="h5" mb="sm">
            {words.jobs.checks}
          </Title>
          <CheckList checks={job.checks} />
        </Card>
      )}
      {job.result !== undefined && <NewOnPurpose differences={job.result.differences} />}
      <Log
        id={job.id}
        going={isGoing(job)}
        revision={`${job.state} ${job.steps.map((step) => step.state).join(' ')}`}
      />
    </>
  );
}

function Commands({ job }: { job: JobView }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const put = (view: JobView) => queries.setQueryData(['job', view.id], view);
  const cancel = useMutation({
    mutationFn: () => api.cancelJob({ job: job.id }),
    onSuccess: put,
    onSettled: () => setAsking(false),
  });
  const retry = useMutation({ mutationFn: () => api.retryJob({ job: job.id }), onSuccess: put });
  const pause = useMutation({ mutationFn: () => api.pauseJob({ job: job.id }), onSuccess: put });
  const resume = useMutation({ mutationFn: () => api.resumeJob({ job: job.id }), onSuccess: put });
  const fault = cancel.error ?? retry.error ?? pause.error ?? resume.error;
  return (
    <>
      {(job.state === 'running' || job.state === 'waiting') && (
        <Button size="compact-sm" variant="light" onClick={() => pause.mutate()} loading={pause.isPending}>
          {words.jobs.pause}
        </Button>
      )}
      {job.state === 'paused' && (
        <Button size="compact-sm" onClick={() => resume.mutate()} loading={resume.isPending}>
          {words.jobs.resume}
        </Button>
      )}
      {isGoing(job) && (
        <Button
          size="compact-sm"
          color="red"
          variant="light"
          disabled={job.state === 'cancelling'}
          onClick={() => setAsking(true)}
        >
          {words.jobs.cancel}
        </Button>
      )}
      {(job.state === 'failed' || job.state === 'cancelled') && (
        <Button size="compact-sm" onClick={() => retry.mutate()} loading={retry.isPending}>
          {words.jobs.retry}
        </Button>
      )}
      <Modal
        opened={asking && isGoing(job)}
        onClose={() => setAsking(false)}
        title={`${words.jobs.cancelYes}: #${job.number} ${job.title}`}
        closeButtonProps={{ 'aria-label': words.fault.close }}
        centered
      >
        <Text size="sm" mb="md">
          {words.jobs.cancelAsk}
        </Text>
        <Group justify="end">
          <Button variant="default" onClick={() => setAsking(false)} data-autofocus>
            {words.jobs.cancelNo}
          </Button>
          <Button color="red" onClick={() => cancel.mutate()} loading={cancel.isPending}>
            {words.jobs.cancelYes}
          </Button>
        </Group>
      </Modal>
      {fault !== null && (
        <FaultNote
          error={fault}
          onClose={() => {
            cancel.reset();
            retry.reset();
            pause.reset();
            resume.reset();
          }}
        />
      )}
    </>
  );
}

function Numbers({ job, now }: { job: JobView; now: number }) {
  const { progress } = job;
  const took = secondsBetween(job.startedAt, job.endedAt, now);
  const parts: [string, string][] = [
    ...(progress === undefined
      ? []
      : ([
          [words.jobs.done, `${bytesText(progress.doneBytes)} / ${bytesText(progress.totalBytes)}`],
          [words.jobs.onWire, bytesText(progress.wireBytes)],
          [words.jobs.zero, bytesText(progress.zeroBytes)],
          ...(progress.alreadyThereBytes === 0
            ? []
            : [[words.jobs.alreadyThere, bytesText(progress.alreadyThereBytes)]]),
          ...(progress.resentBytes === 0 ? [] : [[words.jobs.resent, bytesText(progress.resentBytes)]]),
        ] as [string, string][])),
    ...(isGoing(job) && progress !== undefined
      ? ([
          [words.jobs.rate, job.bytesPerSecond === undefined ? '–' : `${bytesText(job.bytesPerSecond)}/s`],
          [words.jobs.left, job.etaSeconds === undefined ? '–' : secondsText(job.etaSeconds)],
        ] as [string, string][])
      : []),
    [words.jobs.started, timeText(job.startedAt ?? job.createdAt)],
    ...(took === undefined
      ? []
      : ([[isGoing(job) ? words.jobs.goesOn : words.jobs.took, secondsText(took)]] as [string, string][])),
    ...((job.priority ?? 1) === 1 ? [] : ([[words.jobs.priority, String(job.priority)]] as [string, string][])),
    [words.jobs.by, job.user],
  ];
  return (
    <Group component="dl" gap="xl" m={0} className="numbers">
      {parts.map(([name, value]) => (
        <div key={name}>
          <Text component="dt" size="xs" c="dimmed">
            {name}
          </Text>
          <Text component="dd" size="sm" fw={600} m={0}>
            {value}
          </Text>
        </div>
      ))}
    </Group>
  );
}

function Failure({ failure }: { failure: NonNullable<JobView['failure']> }) {
  return (
    <Alert color="red" title={failure.message} role="alert">
      <Text size="sm">
        {words.fault.remedy}: {failure.remedy}
      </Text>
      <Text size="xs" opacity={0.8}>
        {failure.code}
      </Text>
      {failure.leftovers.length > 0 && (
        <>
          <Text size="sm" mt="xs">
            {words.jobs.leftovers}:
          </Text>
          <List size="sm">
            {failure.leftovers.map((one) => (
              <List.Item key={one}>{one}</List.Item>
            ))}
          </List>
        </>
      )}
    </Alert>
  );
}
