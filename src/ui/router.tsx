import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { Shell } from './shell.tsx';

const root = createRootRoute({ component: Shell });

const text = (value: unknown) => (typeof value === 'string' ? value : undefined);

export interface PlaceSearch {
  /** Id of a cloud; absent means all clouds. */
  cloud?: string | undefined;
  /** Id of a container in it; absent means the whole cloud. */
  parent?: string | undefined;
}

const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/clouds' });
  },
});
const cloudsRoute = createRoute({
  getParentRoute: () => root,
  path: '/clouds',
  component: lazyRouteComponent(() => import('./clouds/page.tsx'), 'CloudsPage'),
  validateSearch: (search: Record<string, unknown>): PlaceSearch => ({
    cloud: text(search.cloud),
    parent: text(search.parent),
  }),
});
const copyRoute = createRoute({
  getParentRoute: () => root,
  path: '/copy',
  component: lazyRouteComponent(() => import('./copy/page.tsx'), 'CopyPage'),
  validateSearch: (search: Record<string, unknown>): { source?: string | undefined } => ({
    source: text(search.source),
  }),
});
const jobsRoute = createRoute({
  getParentRoute: () => root,
  path: '/jobs',
  component: lazyRouteComponent(() => import('./jobs/page.tsx'), 'JobsPage'),
});
const jobRoute = createRoute({
  getParentRoute: () => root,
  path: '/jobs/$job',
  component: lazyRouteComponent(() => import('./jobs/job.tsx'), 'JobPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([home, cloudsRoute, copyRoute, jobsRoute, jobRoute]),
  defaultPreload: 'intent',
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
