import { Badge, Button, Group, Paper, Stack, Text, Title } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { Check } from '../../model/check.ts';
import { FaultNote } from '../fault.tsx';
import { Waiting } from '../loaded.tsx';
import { bytesText } from '../units.ts';
import { words } from '../words.ts';
import type { preflight } from './preflight.ts';

const COLOR = { pass: 'green', warn: 'yellow', fail: 'red' } as const;

/** What was checked, before anything is touched. */
export function ChecksPanel({ query }: { query: UseQueryResult<Awaited<ReturnType<typeof preflight>>> }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={words.copy.checks} aria-busy={query.isFetching}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h5">
            {words.copy.checks}
          </Title>
          {query.isEnabled && (
            <Button size="compact-xs" variant="default" onClick={() => void query.refetch()} loading={query.isFetching}>
              {words.copy.checkAgain}
            </Button>
          )}
        </Group>
        {!query.isEnabled ? (
          <Text size="sm" c="dimmed">
            {words.copy.checksNeed}
          </Text>
        ) : query.isError ? (
          <FaultNote error={query.error} />
        ) : query.data === undefined ? (
          <Waiting />
        ) : (
          <>
            <Text size="sm" role="status">
              {query.data.checks.some((check) => check.outcome === 'fail')
                ? words.copy.notReady
                : words.copy.ready(bytesText(query.data.totalBytes))}
            </Text>
            <CheckList checks={query.data.checks} />
          </>
        )}
      </Stack>
    </Paper>
  );
}

/** Failures first. */
export function CheckList({ checks }: { checks: { [Key in keyof Check]: Check[Key] | undefined }[] }) {
  const rank = { fail: 0, warn: 1, pass: 2 };
  const sorted = [...checks].sort((a, b) => rank[a.outcome ?? 'pass'] - rank[b.outcome ?? 'pass']);
  return (
    <Stack gap={8} component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
      {sorted.map((check) => (
        <Group key={`${check.name} ${check.found}`} component="li" gap="xs" wrap="nowrap" align="start">
          <Badge size="sm" color={COLOR[check.outcome ?? 'pass']} miw={68} style={{ flex: 'none' }}>
            {words.copy.outcome[check.outcome ?? 'pass']}
          </Badge>
          <div>
            <Text size="sm">{check.found}</Text>
            {check.remedy !== undefined && (
              <Text size="sm" c="dimmed">
                {words.fault.remedy}: {check.remedy}
              </Text>
            )}
          </div>
        </Group>
      ))}
    </Stack>
  );
}
