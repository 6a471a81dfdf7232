import type { CopyRequest } from '../../protocol/api/jobs.ts';

/** The CLI command that does the same, for a POSIX shell. */
export function commandOf(request: CopyRequest): string {
  const parts = ['cloudspan copy', quote(request.source), quote(request.destination)];
  if (request.name !== undefined) parts.push('--name', quote(request.name));
  for (const [from, to] of Object.entries(request.networks ?? {}))
    if (to !== null) parts.push('--network', quote(`${from}=${to}`));
  for (const [key, value] of Object.entries(request.placement ?? {})) parts.push(`--${key}`, quote(value));
  if (request.powerOn === true) parts.push('--power-on');
  if (request.powerOffSource === true) parts.push('--power-off-source');
  if (request.keepMac === true) parts.push('--keep-mac');
  if (request.keepUuid === true) parts.push('--keep-uuid');
  if (request.onNameClash === 'rename') parts.push('--rename');
  if (request.acceptEulas === true) parts.push('--accept-eulas');
  if (request.seed !== undefined) parts.push('--seed', quote(request.seed));
  if (request.priority !== undefined && request.priority !== 1) parts.push('--priority', String(request.priority));
  return parts.join(' ');
}

function quote(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
