import type { PartName } from '../journeys/installation.ts';

export type LabName = 'vcenter' | 'director';
export type Side = 'before' | 'after';

/** A call to a lab that makes, changes or deletes something, or that carries bytes. */
export interface Call {
  lab: LabName;
  /** For people. */
  name: string;
  /** A vim25 method, or an HTTP method and path of the lab. */
  match: { method?: string; path?: string };
  /** Which matching call is meant; 1 is the first. */
  nth?: number;
  /** Calls that carry bytes can be met at their beginning only. */
  sides?: readonly Side[];
}

/** Where a part is killed. `arrived` is the fraction of the bytes that the destination's node has. */
export type Point =
  | { at: 'call'; call: Call; side: Side; victim: PartName }
  | { at: 'step'; step: string; victim: PartName }
  | { at: 'progress'; arrived: number; victim: PartName };

const START_ONLY = ['before'] as const;

const vim = (method: string): Call => ({ lab: 'vcenter', name: method, match: { method } });
const nfc: Call = { lab: 'vcenter', name: 'bytes of a lease', match: { path: '/nfc' }, sides: START_ONLY };
const api = (method: string, path: string, name: string, nth = 1): Call => ({
  lab: 'director',
  name,
  match: { method, path },
  nth,
});

export const leavingVcenter: readonly Call[] = [vim('ExportVm'), nfc, vim('HttpNfcLeaseComplete')];

export const leavingDirector: readonly Call[] = [
  api('POST', '/api/*/action/enableDownload', 'enableDownload'),
  { ...api('GET', '/transfer/*', 'bytes of a download', 2), sides: START_ONLY },
  api('POST', '/api/*/action/disableDownload', 'disableDownload'),
];

export const intoVcenter: readonly Call[] = [
  vim('CreateImportSpec'),
  vim('ImportVApp'),
  nfc,
  vim('HttpNfcLeaseGetManifest'),
  vim('HttpNfcLeaseComplete'),
  vim('ReconfigVM_Task'),
  vim('Rename_Task'),
];

const upload: readonly Call[] = [
  api('POST', '/api/catalog/*/action/upload', 'upload'),
  api('PUT', '/transfer/*/descriptor.ovf', 'descriptor'),
  api('PUT', '/transfer/*/disk-0.vmdk', 'bytes of an upload'),
  api('PUT', '/transfer/*/descriptor.mf', 'manifest'),
];

export const intoVdc: readonly Call[] = [
  ...upload,
  api('POST', '/api/vdc/*/action/instantiateVAppTemplate', 'instantiateVAppTemplate'),
  api('POST', '/api/vApp/vapp-*/metadata', 'metadata of the vApp'),
  api('DELETE', '/api/vAppTemplate/*', 'delete the temporary template'),
  api('PUT', '/api/vApp/vapp-*', 'rename the vApp'),
];

export const intoCatalog: readonly Call[] = [
  api('POST', '/api/vAppTemplate/*/metadata', 'metadata of the template'),
  api('PUT', '/api/vAppTemplate/*', 'rename the template'),
];

export const intoTemplateFolder: readonly Call[] = [vim('Rename_Task'), vim('MarkAsTemplate')];

/** Calls by which a cancelled copy is taken back. */
export const takingBackFromVcenter: readonly Call[] = [vim('HttpNfcLeaseAbort')];
/** To cancel the task of an upload removes its template. */
export const takingBackFromVdc: readonly Call[] = [api('POST', '/api/task/*/action/cancel', 'cancel the upload')];

export const destroying: Call = vim('Destroy_Task');

export function sidesOf(call: Call): readonly Side[] {
  return call.sides ?? ['before', 'after'];
}

export function pointText(point: Point): string {
  if (point.at === 'call') return `${point.victim} killed ${point.side} ${point.call.lab}'s ${point.call.name}`;
  if (point.at === 'step') return `${point.victim} killed in step ${point.step}`;
  return `${point.victim} killed with ${Math.round(point.arrived * 100)}% arrived`;
}

/** The fault rule that makes a lab wait (or die) at these points; all of them are of this lab. */
export function rulesFor(lab: LabName, points: readonly Point[], bytesPerSecond: number | undefined): unknown {
  const met = points.filter((point) => point.at === 'call').filter((point) => point.call.lab === lab);
  return lab === 'vcenter' ? vcenterRules(met, bytesPerSecond) : { rules: directorRules(met, bytesPerSecond) };
}

type CallPoint = Extract<Point, { at: 'call' }>;

/** Long enough for the kill to fall into it. */
const HOLD_MILLISECONDS = 1_500;

function vcenterRules(points: readonly CallPoint[], bytesPerSecond: number | undefined) {
  return {
    rules: points.map(({ call, side, victim }) => ({
      ...call.match,
      nth: call.nth ?? 1,
      action: victim === 'vcenter' ? 'die' : 'delay',
      delayMilliseconds: HOLD_MILLISECONDS,
      after: side === 'after',
    })),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond: { host: bytesPerSecond } }),
  };
}

function directorRules(points: readonly CallPoint[], bytesPerSecond: number | undefined) {
  const rules: unknown[] = points.map(({ call, side, victim }) => ({
    on: 'call',
    ...call.match,
    nth: call.nth ?? 1,
    action:
      victim === 'director'
        ? { kind: 'die', when: side }
        : { kind: 'delay', milliseconds: HOLD_MILLISECONDS, when: side },
  }));
  if (bytesPerSecond !== undefined)
    rules.push({ on: 'call', path: '/transfer/*', times: 0, action: { kind: 'slow', bytesPerSecond } });
  return rules;
}
