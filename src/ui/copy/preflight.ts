import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { CopyRequest } from '../../protocol/api/jobs.ts';
import { api } from '../server.ts';

const QUIET_MILLISECONDS = 600;

export function preflight(request: CopyRequest, signal: AbortSignal) {
  return api.preflight({ body: request }, signal);
}

/** The checks of a request, as soon as it has not changed for a moment; null asks nothing. */
export function usePreflight(request: CopyRequest | null) {
  const text = request === null ? null : JSON.stringify(request);
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), QUIET_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [text]);
  const query = useQuery({
    queryKey: ['preflight', settled],
    enabled: settled !== null && text !== null,
    queryFn: ({ signal }) => preflight(JSON.parse(settled ?? '') as CopyRequest, signal),
    placeholderData: keepPreviousData,
    refetchOnWindowFocus: false,
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
  const current = settled === text && query.isSuccess && !query.isPlaceholderData;
  return { query, passed: current && query.data.checks.every((check) => check.outcome !== 'fail') };
}
