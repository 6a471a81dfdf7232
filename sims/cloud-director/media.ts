import { randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Call,
  document,
  get,
  noContent,
  post,
  put,
  type Reply,
  type Route,
  referred,
  remove,
  type View,
} from './call.ts';
import { addItem, refuseTakenName } from './catalog.ts';
import { downloadTransfer } from './download.ts';
import type { Catalog, Media, Transfer, Vdc } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { defaultProfile, refuseWhenFull } from './quota.ts';
import { link, reference, urn } from './references.ts';
import { badRequest } from './refusal.ts';
import { noteFiles, removeMedia, removeTransfer } from './removal.ts';
import type { Simulator } from './simulator.ts';
import { accepted, begin, tasksOf } from './task-document.ts';
import { storedFile, transferPath } from './transfer.ts';
import { filesMarkup } from './vapp-template.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { attributeOf, child, textOf, type XmlElement } from './xml/tree.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

export function startMediaUpload(call: Call, body: XmlElement, vdc: Vdc, catalog: Catalog | undefined): Media {
  const { store } = call.sim;
  const name = attributeOf(body, 'name') ?? '';
  const bytes = Number(attributeOf(body, 'size'));
  if (name === '') throw badRequest('The media needs a name.');
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw badRequest('The media needs its size in bytes.');
  if (catalog !== undefined) refuseTakenName(call.sim, catalog, name);
  const profileHref = attributeOf(child(body, 'VdcStorageProfile'), 'href');
  const profile =
    profileHref === undefined ? defaultProfile(call.sim, vdc.id) : referred(call, 'storageProfile', profileHref);
  refuseWhenFull(call.sim, profile, Math.ceil(bytes / 2 ** 20));
  const id = randomUUID();
  const transferId = randomUUID();
  const now = new Date().toISOString();
  const base = { name, description: textOf(body, 'Description') ?? '', org: vdc.org, created: now, metadata: [] };
  const media: Media = {
    ...base,
    id,
    vdc: vdc.id,
    owner: call.caller.user.id,
    status: 0,
    bytes,
    file: null,
    storageProfile: profile.id,
    upload: transferId,
    staged: null,
  };
  store.atomically(() => {
    store.put('media', media);
    const task = begin(
      call,
      'vdcUploadMedia',
      `Importing media ${name}(${id})`,
      { ...media, kind: 'media' },
      { kind: 'importMedia', args: id },
      false,
    );
    const transfer: Transfer = {
      ...base,
      id: transferId,
      direction: 'upload',
      owner: { kind: 'media', id },
      task: task.id,
      files: [{ name: 'file', bytes, transferred: 0, type: 'application/octet-stream' }],
      touched: now,
      manifestRequired: false,
      complete: false,
    };
    store.put('transfer', transfer);
    if (catalog !== undefined) addItem(call.sim, catalog, name, base.description, { kind: 'media', id });
  });
  return media;
}

export function defineMediaWork(sim: Simulator): void {
  sim.tasks.define('importMedia', {
    run: async ({ args }) => {
      const media = sim.store.must('media', String(args));
      const path = storedFile(sim, media.upload ?? '', 0);
      const file = await sim.disks.create(media.bytes, async (writer) => {
        let at = 0;
        for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 })) {
          await writer.write(at, part as Buffer);
          at += (part as Buffer).length;
        }
      });
      return () => {
        removeTransfer(sim, media.upload);
        noteFiles(sim, [file]);
        sim.store.change('media', media.id, { status: 1, upload: null, file });
      };
    },
    failed: ({ args }, canceled) => {
      const media = sim.store.get('media', String(args));
      if (media === undefined) return;
      if (canceled) removeMedia(sim, media.id);
      else {
        removeTransfer(sim, media.upload);
        sim.store.change('media', media.id, { status: -1, upload: null });
      }
    },
  });
  sim.tasks.define('mediaDelete', {
    run:
      async ({ args }) =>
      () =>
        removeMedia(sim, String(args)),
  });
  sim.tasks.define('stageMedia', {
    run: async ({ args, task }) => {
      const { id, transfer } = args as { id: string; transfer: string };
      const media = sim.store.must('media', id);
      await mkdir(join(sim.transferFolder, transfer), { recursive: true });
      await copyFile(
        join(sim.disks.folder, `${media.file}.raw`),
        storedFile(sim, transfer, 0),
        constants.COPYFILE_FICLONE,
      );
      return () => {
        removeTransfer(sim, media.staged);
        const file = { name: 'file', bytes: media.bytes, transferred: media.bytes, type: 'application/octet-stream' };
        sim.store.put('transfer', downloadTransfer(transfer, media, { kind: 'media', id }, task.id, [file]));
        sim.store.change('media', id, { staged: transfer });
      };
    },
    failed: ({ args }) => removeTransfer(sim, (args as { transfer: string }).transfer),
  });
}

function mediaMarkup(view: View, media: Media): Markup {
  const { store } = view.sim;
  const own = `/api/media/${media.id}`;
  const item = store.all('catalogItem').find((one) => one.entity.id === media.id);
  const owner = store.get('user', media.owner);
  const upload = media.upload === null ? undefined : store.get('transfer', media.upload);
  const staged = media.staged === null ? undefined : store.get('transfer', media.staged);
  const profile = store.get('storageProfile', media.storageProfile);
  return el(
    'Media',
    {
      ...apiDeclarations,
      imageType: 'iso',
      size: media.bytes,
      status: media.status,
      name: media.name,
      id: urn('media', media.id),
      href: view.href(own),
      type: mediaTypes.media,
    },
    item === undefined ? null : link(view, 'catalogItem', `/api/catalogItem/${item.id}`, mediaTypes.catalogItem),
    link(view, 'up', `/api/vdc/${media.vdc}`, mediaTypes.vdc),
    media.status === 1
      ? [link(view, 'enable', `${own}/action/enableDownload`), link(view, 'disable', `${own}/action/disableDownload`)]
      : null,
    link(view, 'edit', own, mediaTypes.media),
    link(view, 'remove', own),
    link(view, 'down', `${own}/metadata`, mediaTypes.metadata),
    link(view, 'down', `${own}/owner`, mediaTypes.owner),
    leaf('Description', media.description),
    tasksOf(view, media.id),
    filesMarkup(view, upload),
    staged === undefined
      ? null
      : el(
          'Files',
          {},
          el(
            'File',
            { name: 'file', size: media.bytes, bytesTransferred: media.bytes },
            link(view, 'download:default', transferPath(staged.id, 'file')),
          ),
        ),
    owner === undefined ? null : el('Owner', { type: mediaTypes.owner }, reference(view, 'User', 'user', owner)),
    profile === undefined ? null : reference(view, 'VdcStorageProfile', 'storageProfile', profile),
  );
}

async function uploadToVdc(call: Call): Promise<Reply> {
  const media = startMediaUpload(call, await call.xml('Media'), call.entity('vdc'), undefined);
  return document(mediaTypes.media, mediaMarkup(call, media), 201);
}

async function updateMedia(call: Call): Promise<Reply> {
  const media = call.entity('media');
  const body = await call.xml('Media');
  const fields = {
    name: attributeOf(body, 'name') ?? media.name,
    description: textOf(body, 'Description') ?? media.description,
  };
  const task = call.sim.store.atomically(() => {
    call.sim.store.change('media', media.id, fields);
    for (const item of call.sim.store.all('catalogItem')) {
      if (item.entity.id === media.id) call.sim.store.change('catalogItem', item.id, fields);
    }
    return begin(
      call,
      'mediaUpdate',
      `Updating media ${media.name}(${media.id})`,
      { ...media, kind: 'media' },
      { kind: 'nothing', args: null },
    );
  });
  return accepted(call, task);
}

function enable(call: Call): Reply {
  const media = call.entity('media');
  if (media.status !== 1) throw badRequest(`The media "${media.name}" is not ready.`);
  const args = { id: media.id, transfer: randomUUID() };
  return accepted(
    call,
    begin(
      call,
      'mediaEnableDownload',
      `Enabling download of ${media.name}(${media.id})`,
      { ...media, kind: 'media' },
      { kind: 'stageMedia', args },
    ),
  );
}

export const mediaRoutes: Route[] = [
  post('/api/vdc/:id/media', uploadToVdc),
  get('/api/media/:id', (call) => document(mediaTypes.media, mediaMarkup(call, call.entity('media')))),
  put('/api/media/:id', updateMedia),
  remove('/api/media/:id', (call) => {
    const media = call.entity('media');
    return accepted(
      call,
      begin(
        call,
        'mediaDelete',
        `Deleting media ${media.name}(${media.id})`,
        { ...media, kind: 'media' },
        { kind: 'mediaDelete', args: media.id },
      ),
    );
  }),
  post('/api/media/:id/action/enableDownload', enable),
  post('/api/media/:id/action/disableDownload', (call) => {
    const media = call.entity('media');
    call.sim.store.atomically(() => {
      call.sim.store.change('media', media.id, { staged: null });
      removeTransfer(call.sim, media.staged);
    });
    return noContent;
  }),
];
