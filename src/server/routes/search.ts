import type { Search } from '../search/search.ts';
import type { Handlers } from './bind.ts';

export function searchRoutes(search: Search): Pick<Handlers, 'search'> {
  return {
    search: ({ query, sight }) => search.find(sight, query),
  };
}
