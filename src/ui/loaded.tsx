import { Button, Skeleton, Stack } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { FaultNote } from './fault.tsx';
import { words } from './words.ts';

/**
 * What a query gave; while nothing is there yet its shape in grey, and a fault only when there is nothing to show: what
 * was read before stays on the page while the server is away.
 */
export function Loaded<Data>({
  query,
  rows = 4,
  children,
}: {
  query: UseQueryResult<Data>;
  rows?: number;
  children: (data: Data) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) {
    return (
      <Stack align="start">
        <FaultNote error={query.error} />
        <Button variant="default" onClick={() => void query.refetch()} loading={query.isFetching}>
          {words.fault.again}
        </Button>
      </Stack>
    );
  }
  return <Waiting rows={rows} />;
}

/** The shape of what is still to come. */
export function Waiting({ rows = 4 }: { rows?: number }) {
  return (
    <Stack gap="xs" role="status" aria-label={words.loading} aria-busy="true">
      {[...Array(rows).keys()].map((row) => (
        <Skeleton key={row} height={28} radius="sm" />
      ))}
    </Stack>
  );
}
