import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Call, document, post, type Reply, type Route, referred } from './call.ts';
import { addItem, refuseTakenName } from './catalog.ts';
import { itemDocument } from './catalog-item.ts';
import type { Catalog, Template, Transfer, Vdc } from './entities.ts';
import { startMediaUpload } from './media.ts';
import { mediaTypes } from './media-types.ts';
import { readOvf } from './ovf/read.ts';
import { defaultProfile } from './quota.ts';
import { badRequest, Refusal } from './refusal.ts';
import { removeTransfer } from './removal.ts';
import type { Simulator } from './simulator.ts';
import { begin } from './task-document.ts';
import { storedFile } from './transfer.ts';
import { templateMarkup } from './vapp-template.ts';
import { attributeOf, booleanOf, child, textOf, type XmlElement } from './xml/tree.ts';

const maximumDescriptor = 16 * 2 ** 20;

/** The VDC that stores what goes into a catalog: that of its storage policy, else the organization's first. */
export function vdcOf(sim: Simulator, catalog: Catalog): Vdc {
  const profile = catalog.storageProfile === null ? undefined : sim.store.get('storageProfile', catalog.storageProfile);
  const vdc = sim.store
    .all('vdc')
    .find((one) => (profile === undefined ? one.org === catalog.org : one.id === profile.vdc));
  if (vdc === undefined) throw badRequest('The organization has no VDC to store catalog items in.');
  return vdc;
}

function startTemplateUpload(call: Call, body: XmlElement, vdc: Vdc, catalog: Catalog | undefined): Template {
  const { store } = call.sim;
  const name = attributeOf(body, 'name') ?? '';
  if (name === '') throw badRequest('The template needs a name.');
  if (catalog !== undefined) refuseTakenName(call.sim, catalog, name);
  if ((attributeOf(body, 'sourceHref') ?? '') !== '') {
    throw new Refusal(400, 'BAD_REQUEST', 'This lab does not fetch an OVF by its source URL; upload the files.');
  }
  const profileHref = attributeOf(child(body, 'VdcStorageProfile'), 'href');
  const id = randomUUID();
  const now = new Date().toISOString();
  const base = { name, description: textOf(body, 'Description') ?? '', org: vdc.org, created: now, metadata: [] };
  const profile =
    profileHref === undefined
      ? (catalog?.storageProfile ?? defaultProfile(call.sim, vdc.id).id)
      : referred(call, 'storageProfile', profileHref).id;
  const transferId = randomUUID();
  const template: Template = {
    ...base,
    id,
    vdc: vdc.id,
    owner: call.caller.user.id,
    networks: [],
    startup: [],
    products: [],
    lease: { deploymentSeconds: 0, storageSeconds: 0 },
    eulas: [],
    staged: null,
    status: 0,
    descriptorUploaded: false,
    goldMaster: false,
    customizeOnInstantiate: true,
    storageProfile: profile,
    upload: transferId,
  };
  store.atomically(() => {
    store.put('template', template);
    const task = begin(
      call,
      'vdcUploadOvfContents',
      `Importing ${name}(${id})`,
      { ...template, kind: 'template' },
      { kind: 'importTemplate', args: id },
      false,
    );
    const transfer: Transfer = {
      ...base,
      id: transferId,
      direction: 'upload',
      owner: { kind: 'template', id },
      task: task.id,
      files: [{ name: 'descriptor.ovf', bytes: -1, transferred: 0, type: 'text/xml' }],
      touched: now,
      manifestRequired: booleanOf(attributeOf(body, 'manifestRequired')) ?? false,
      complete: false,
    };
    store.put('transfer', transfer);
    if (catalog !== undefined) addItem(call.sim, catalog, name, base.description, { kind: 'template', id });
  });
  return template;
}

async function uploadToCatalog(call: Call): Promise<Reply> {
  const catalog = call.entity('catalog');
  const body = await call.xml('UploadVAppTemplateParams', 'Media');
  if (body.local === 'Media') startMediaUpload(call, body, vdcOf(call.sim, catalog), catalog);
  else startTemplateUpload(call, body, vdcOf(call.sim, catalog), catalog);
  const item = call.sim.store.all('catalogItem').at(-1)!;
  return itemDocument(call, item, 201);
}

async function uploadToVdc(call: Call): Promise<Reply> {
  const vdc = call.entity('vdc');
  const template = startTemplateUpload(call, await call.xml('UploadVAppTemplateParams'), vdc, undefined);
  return document(mediaTypes.template, templateMarkup(call, template, true), 201);
}

/**
 * Called when a PUT ended. `total` is the file's full size where the request told it. The descriptor, once whole, is
 * read and brings the other files; when the last file is whole the import begins.
 */
export async function finishFile(sim: Simulator, id: string, index: number, total: number | undefined): Promise<void> {
  let transfer = sim.store.must('transfer', id);
  let file = transfer.files[index]!;
  if (file.bytes < 0 && total !== undefined) {
    file = { ...file, bytes: total };
    transfer = sim.store.change('transfer', id, { files: transfer.files.with(index, file) })!;
  }
  if (index === 0 && transfer.owner.kind === 'template' && transfer.files.length === 1) {
    if (file.bytes < 0 || file.transferred < file.bytes) return;
    try {
      if (file.bytes > maximumDescriptor) throw badRequest('The descriptor is larger than 16 MiB.');
      transfer = announceFiles(sim, transfer, await readFile(storedFile(sim, id, 0), 'utf8'));
    } catch (error) {
      failUpload(sim, transfer, error instanceof Refusal ? error : badRequest(String(error)));
      return;
    }
  }
  const bytes = transfer.files.reduce((sum, one) => sum + Math.max(0, one.bytes), 0);
  const got = transfer.files.reduce((sum, one) => sum + one.transferred, 0);
  const task = sim.store.get('task', transfer.task);
  if (task !== undefined) task.progress = Math.min(90, Math.floor((got / Math.max(1, bytes)) * 90));
  if (transfer.files.every((one) => one.bytes >= 0 && one.transferred >= one.bytes)) {
    sim.store.atomically(() => {
      sim.store.change('transfer', id, { complete: true });
      sim.tasks.schedule(transfer.task);
    });
  }
}

function announceFiles(sim: Simulator, transfer: Transfer, text: string): Transfer {
  const ovf = readOvf(text);
  const names = ovf.files.map(({ href }) => href);
  if (names.includes('descriptor.ovf') || names.includes('descriptor.mf')) {
    throw badRequest('The OVF references a file with the name of its own descriptor or manifest.');
  }
  const files = ovf.files.map((file) => ({
    name: file.href,
    bytes: file.bytes,
    transferred: 0,
    type: 'application/octet-stream',
  }));
  const manifest = { name: 'descriptor.mf', bytes: -1, transferred: 0, type: 'text/plain' };
  sim.store.change('template', transfer.owner.id, { descriptorUploaded: true });
  return sim.store.change('transfer', transfer.id, {
    files: [...transfer.files, ...files, ...(transfer.manifestRequired ? [manifest] : [])],
  })!;
}

function failUpload(sim: Simulator, transfer: Transfer, refusal: Refusal): void {
  sim.store.atomically(() => {
    sim.store.change('template', transfer.owner.id, { status: -1, upload: null });
    sim.tasks.end(transfer.task, 'error', {
      major: refusal.status,
      minor: refusal.minorCode,
      message: refusal.message,
    });
    removeTransfer(sim, transfer.id);
  });
}

/** Gives up uploads that stood still and staged downloads that nobody fetched for the idle time. */
export function expireTransfers(sim: Simulator): void {
  const since = Date.now() - sim.transferIdleSeconds * 1000;
  for (const transfer of sim.store.all('transfer')) {
    if (transfer.complete || Date.parse(transfer.touched) > since) continue;
    const { kind, id } = transfer.owner;
    sim.store.atomically(() => {
      if (transfer.direction === 'download') {
        sim.store.change(kind, id, { staged: null });
      } else {
        if (kind !== 'vapp') sim.store.change(kind, id, { status: 17, upload: null });
        sim.tasks.end(transfer.task, 'error', {
          major: 500,
          minor: 'TRANSFER_TIMEOUT',
          message: 'The transfer stood still for too long.',
        });
      }
      removeTransfer(sim, transfer.id);
    });
  }
}

export const uploadRoutes: Route[] = [
  post('/api/catalog/:id/action/upload', uploadToCatalog),
  post('/api/vdc/:id/action/uploadVAppTemplate', uploadToVdc),
];
