import type { Route } from './call.ts';
import { catalogRoutes } from './catalog.ts';
import { catalogItemRoutes } from './catalog-item.ts';
import { compositionRoutes } from './composition.ts';
import { controlAccessRoutes } from './control-access.ts';
import { diskRoutes } from './disk.ts';
import { labRoutes } from './lab.ts';
import { mediaRoutes } from './media.ts';
import { metadataRoutes } from './metadata.ts';
import { networkRoutes } from './networks.ts';
import { orgRoutes } from './org.ts';
import { powerRoutes } from './power.ts';
import { queryRoutes } from './query/service.ts';
import { rightsRoutes } from './rights.ts';
import { sessionRoutes } from './sessions.ts';
import { standaloneRoutes } from './standalone-vm.ts';
import { taskRoutes } from './task-document.ts';
import { captureRoutes } from './template-copy.ts';
import { transferRoutes } from './transfer.ts';
import { uploadRoutes } from './upload.ts';
import { vappRoutes } from './vapp.ts';
import { sectionRoutes } from './vapp-sections.ts';
import { templateRoutes } from './vapp-template.ts';
import { vdcRoutes } from './vdc.ts';
import { vmRoutes } from './vm.ts';

const all: readonly Route[] = [
  ...sessionRoutes,
  ...rightsRoutes,
  ...orgRoutes,
  ...vdcRoutes,
  ...catalogRoutes,
  ...catalogItemRoutes,
  ...templateRoutes,
  ...captureRoutes,
  ...uploadRoutes,
  ...transferRoutes,
  ...mediaRoutes,
  ...compositionRoutes,
  ...vappRoutes,
  ...powerRoutes,
  ...sectionRoutes,
  ...vmRoutes,
  ...standaloneRoutes,
  ...diskRoutes,
  ...networkRoutes,
  ...metadataRoutes,
  ...controlAccessRoutes,
  ...queryRoutes,
  ...taskRoutes,
  ...labRoutes,
];

const compiled = all.map((route) => ({ route, segments: route.path.split('/').slice(1) }));

export interface Found {
  route: Route;
  params: Record<string, string>;
}

/** Finds the route; `allowed` lists the methods of the path when only the method does not fit. */
export function findRoute(method: string, path: string): Found | { allowed: string[] } {
  const parts = path.replace(/\/+$/, '').split('/').slice(1);
  const allowed: string[] = [];
  for (const { route, segments } of compiled) {
    const params = match(segments, parts);
    if (params === undefined) continue;
    if (route.method === method) return { route, params };
    allowed.push(route.method);
  }
  return { allowed };
}

function match(segments: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    if (segment === '*') {
      params.rest = parts.slice(index).map(decode).join('/');
      return params.rest === '' ? undefined : params;
    }
    const part = parts[index];
    if (part === undefined || part === '') return undefined;
    if (segment.startsWith(':')) params[segment.slice(1)] = decode(part);
    else if (segment !== part) return undefined;
  }
  return segments.length === parts.length ? params : undefined;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
