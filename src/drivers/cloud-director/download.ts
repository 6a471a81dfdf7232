import { delay } from '../../base/backoff.ts';
import type { CloudResponse } from '../../base/http.ts';
import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { WorkContext } from '../driver.ts';
import { urnOf } from './entity.ts';
import type { Session } from './session.ts';
import type { Source } from './source.ts';
import { awaitAnswer } from './tasks.ts';
import { at, childrenOf, linkOf, type XmlElement } from './xml.ts';

const ROLE = 'download area';
/** Tries to go on with a file after a broken connection without a byte in between. */
const ATTEMPTS = 5;
const PAUSE_MILLISECONDS = 300;
/** How long the end of a staging that was broken off is waited for; then it is left to `undo`. */
const CLEAN_UP_MILLISECONDS = 30_000;

/** What is laid out: media, a template, or a vApp. */
export type Staged = Pick<Source, 'kind' | 'href' | 'name'>;

/** The area in which Cloud Director lays out the files of one vApp, template or media for download. */
export interface DownloadArea {
  /** undefined: the area was open before and is not ours to give back. */
  readonly entry: LedgerEntry | undefined;
  /** Address of the descriptor, the files lie beside it; of media: of the file itself. */
  readonly descriptor: string;
}

/**
 * Stages the source (`action/enableDownload`) after giving back what an earlier attempt of this work left. An area that
 * is open then was opened by others: it is used and stays open. That of a vApp is staged anew, because the machines may
 * have run since; a template or media do not change.
 */
export async function openArea(session: Session, source: Staged, context: WorkContext): Promise<DownloadArea> {
  const { signal, ledger } = context;
  const what = `stage "${source.name}" for download`;
  for (const row of ledger.entries) {
    if (row.kind !== 'download' || (row.state !== 'intent' && row.state !== 'made')) continue;
    await disable(session, source.href, signal);
    await ledger.settle(row, 'removed');
  }
  const holder = await session.read(source.href, what, signal);
  if (isOpenArea(holder)) {
    const fixed = source.kind === 'template' || source.kind === 'media';
    if (!fixed) await stage(session, source, what, signal);
    const now = fixed ? holder : await session.read(source.href, what, signal);
    return { entry: undefined, descriptor: descriptorOf(session, now, what) };
  }
  const intent = await ledger.intend({ action: 'create', kind: 'download', role: ROLE, name: source.name });
  const id = urnOf(source.kind === 'vm' ? 'vapp' : source.kind, source.href);
  // The area has no id but its holder's, which is known before: so it is found also when staging is broken off.
  const entry = await ledger.settle(intent, 'intent', id);
  try {
    await stage(session, source, what, signal);
    const made = await ledger.settle(entry, 'made', id);
    return { entry: made, descriptor: descriptorOf(session, await session.read(source.href, what, signal), what) };
  } catch (error) {
    await disableWhenFree(session, source.href, AbortSignal.timeout(CLEAN_UP_MILLISECONDS)).then(
      () => ledger.settle(entry, 'removed'),
      () => undefined,
    );
    throw error;
  }
}

async function stage(session: Session, source: Staged, what: string, signal: AbortSignal): Promise<void> {
  const answer = await session.send({ method: 'POST', href: `${source.href}/action/enableDownload`, what, signal });
  await awaitAnswer(session, answer, what, signal);
}

/** Staging that was broken off goes on in the cloud, and until it ends the area cannot be given back. */
async function disableWhenFree(session: Session, href: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await disable(session, href, signal);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'object.busy') throw error;
      await delay(PAUSE_MILLISECONDS, signal);
    }
  }
}

function isOpenArea(holder: XmlElement): boolean {
  return linkOf(holder, 'download:identity') !== undefined || downloadOf(holder) !== undefined;
}

/** Media have the link in their file. */
function downloadOf(holder: XmlElement): string | undefined {
  if (holder.name !== 'Media') return linkOf(holder, 'download:default');
  const files = childrenOf(at(holder, 'Files'), 'File');
  return files.map((file) => linkOf(file, 'download:default')).find((href) => href !== undefined);
}

/** The identity form keeps MAC addresses and BIOS UUIDs. */
function descriptorOf(session: Session, holder: XmlElement, what: string): string {
  const href = linkOf(holder, 'download:identity') ?? downloadOf(holder);
  if (href === undefined)
    throw new Fault('cloud.protocol', `${session.who}: ${what}: the cloud offers nothing to read`);
  return href;
}

/** Gives back an area that this work opened. */
export async function closeArea(
  session: Session,
  { href }: Staged,
  area: DownloadArea,
  { ledger }: WorkContext,
): Promise<void> {
  if (area.entry === undefined) return;
  await disable(session, href, AbortSignal.timeout(60_000));
  await ledger.settle(area.entry, 'removed');
}

/** Gives the area back. What is disabled or gone already is no error. */
export async function disable(session: Session, href: string, signal: AbortSignal): Promise<void> {
  const what = 'give back the download area';
  try {
    const answer = await session.send({ method: 'POST', href: `${href}/action/disableDownload`, what, signal });
    await awaitAnswer(session, answer, what, signal);
  } catch (error) {
    if (!(error instanceof Fault) || !GONE.has(error.code)) throw error;
    // POST to a vApp that was deleted meanwhile is refused as forbidden: ask whether it is still there.
    if (error.code === 'auth.forbidden' && (await exists(session, href, signal))) throw error;
  }
}

const GONE = new Set(['object.missing', 'auth.forbidden']);

async function exists(session: Session, href: string, signal: AbortSignal): Promise<boolean> {
  return session.read(href, 'look for a vApp', signal).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Fault && error.code === 'object.missing') return false;
      throw error;
    },
  );
}

/** Address of a file that the descriptor names; it has to lie beside or below the descriptor. */
export function fileUrl(session: Session, descriptor: string, href: string): string {
  const url = new URL(href, descriptor);
  const folder = new URL('.', descriptor);
  if (url.origin !== folder.origin || !url.pathname.startsWith(folder.pathname)) {
    throw new Fault(
      'ovf.hostile',
      `${session.who}: the descriptor names the file "${href}", which is outside of its area`,
    );
  }
  return url.href;
}

/**
 * The bytes of one file from its beginning to its end, in order. A broken connection is gone on with by a range
 * (RFC 9110 §14.2) where the server knows ranges, else the known part is read again and dropped.
 */
export async function* fileBytes(
  session: Session,
  url: string,
  what: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let position = 0;
  let failures = 0;
  for (;;) {
    const before = position;
    try {
      const response = await openAt(session, url, position, what, signal);
      if (response === null) return;
      let skip = response.status === 206 ? 0 : position;
      for await (const chunk of session.http.chunks(response, url, signal)) {
        const part = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - part.length;
        position += part.length;
        if (part.length > 0) yield part;
      }
      return;
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'cloud.unreachable') throw error;
      failures = position > before ? 1 : failures + 1;
      if (failures >= ATTEMPTS) throw error;
      session.log.warn(`${what}: the connection broke at byte ${position}, going on from there`);
      await delay(PAUSE_MILLISECONDS * failures, signal);
    }
  }
}

/** null when the file ends at `position`. */
async function openAt(
  session: Session,
  href: string,
  position: number,
  what: string,
  signal: AbortSignal,
): Promise<CloudResponse | null> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (position > 0) headers.range = `bytes=${position}-`;
  try {
    const response = await session.call({ method: 'GET', href, what, accept: '*/*', headers, signal });
    const start = /^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1];
    if (response.status === 206 && Number(start) !== position) {
      response.body.destroy();
      throw new Fault('cloud.protocol', `${session.who}: ${what}: asked for byte ${position}, given from ${start}`);
    }
    return response;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.details?.status === 416) return null;
    if (error.code === 'object.missing') {
      throw new Fault('lease.expired', `${session.who}: ${what}: the download area is no longer there`, {
        cause: error,
      });
    }
    throw error;
  }
}
