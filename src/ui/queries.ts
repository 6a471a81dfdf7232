import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { Fault } from '../model/fault.ts';

/** The cache of everything that was read. An ended session shows the sign-in form, whoever notices it. */
export function createQueries(): QueryClient {
  const queries: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, query) => {
        if (query.queryKey[0] !== 'me') askWhoIAm(error);
      },
    }),
    mutationCache: new MutationCache({ onError: (error) => askWhoIAm(error) }),
    defaultOptions: {
      queries: {
        networkMode: 'always',
        retry: (count, error) => error instanceof Fault && error.retry === 'soon' && count < 2,
        staleTime: 5_000,
      },
      mutations: { networkMode: 'always' },
    },
  });
  const askWhoIAm = (error: unknown) => {
    if (error instanceof Fault && error.code === 'auth.required') void queries.invalidateQueries({ queryKey: ['me'] });
  };
  return queries;
}
