import { Card, Code, Text, Title } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { Answer } from '../../protocol/client.ts';
import { api } from '../server.ts';
import { clockText } from '../units.ts';
import { words } from '../words.ts';

const AGAIN_MILLISECONDS = 2_000;

type Line = Answer<'jobLog'>['lines'][number];

/** The log of a job; only what is new is read, at every change of the job and now and then while it goes on. */
export function Log({ id, going, revision }: { id: string; going: boolean; revision: string }) {
  const queries = useQueryClient();
  const lines = ['job-log', id];
  const log = useQuery({
    queryKey: [...lines, 'read', revision],
    refetchInterval: going ? AGAIN_MILLISECONDS : false,
    queryFn: async ({ signal }) => {
      const known = queries.getQueryData<Line[]>(lines) ?? [];
      const answer = await api.jobLog({ job: id, query: { after: known.at(-1)?.number ?? 0 } }, signal);
      const all = [...known, ...answer.lines];
      queries.setQueryData(lines, all);
      return all;
    },
    placeholderData: () => queries.getQueryData<Line[]>(lines),
  });
  const text = (log.data ?? [])
    .map(
      (line) =>
        `${clockText(line.at)}  ${line.level === 'info' ? '' : `${line.level.toUpperCase()} `}${line.from}: ${line.text}`,
    )
    .join('\n');
  return (
    <Card withBorder component="section" aria-label={words.jobs.log}>
      <Title order={2} size="h5" mb="sm">
        {words.jobs.log}
      </Title>
      {text === '' ? (
        <Text size="sm" c="dimmed">
          {words.jobs.logEmpty}
        </Text>
      ) : (
        <Code block className="log" tabIndex={0} role="log" aria-label={words.jobs.log}>
          {text}
        </Code>
      )}
    </Card>
  );
}
