import type { StartupItem } from '../entities.ts';
import { badRequest } from '../refusal.ts';
import { ovfNamespace } from '../xml/namespaces.ts';
import { attributeOf, booleanOf, child, childrenOf, parseXml, textOf, type XmlElement } from '../xml/tree.ts';
import type { OvfDisk, OvfFile, OvfPackage } from './package.ts';
import { readSystem } from './read-system.ts';
import { readEulas, vendorSections } from './sections.ts';
import { unitBytes } from './units.ts';

/** Reads an OVF 1.x descriptor. Throws a 400 `Refusal` that names what is wrong. */
export function readOvf(text: string): OvfPackage {
  const envelope = parseXml(text);
  if (envelope.local !== 'Envelope' || envelope.uri !== ovfNamespace) {
    throw badRequest('The descriptor is not an OVF envelope.');
  }
  const files = childrenOf(child(envelope, 'References'), 'File').map(readFile);
  const hrefs = new Set(files.map((file) => file.href));
  if (hrefs.size !== files.length) throw badRequest('The OVF names a file twice in its References.');
  const disks = childrenOf(child(envelope, 'DiskSection'), 'Disk').map((disk) => readDisk(disk, files));
  const collection = child(envelope, 'VirtualSystemCollection');
  const single = child(envelope, 'VirtualSystem');
  const content = collection ?? single;
  if (content === undefined) throw badRequest('The OVF holds no VirtualSystem.');
  const strings = readStrings(envelope);
  const systems = (collection === undefined ? [content] : virtualSystemsOf(collection)).map((system) =>
    readSystem(system, strings),
  );
  if (systems.length === 0) throw badRequest('The OVF holds no VirtualSystem.');
  for (const system of systems) {
    for (const { disk } of system.disks) {
      if (!disks.some(({ id }) => id === disk)) {
        throw badRequest(
          `The virtual system "${system.name}" uses the disk "${disk}", which the DiskSection does not have.`,
        );
      }
    }
  }
  return {
    name: textOf(content, 'Name') ?? attributeOf(content, 'id') ?? '',
    files,
    disks,
    networks: childrenOf(child(envelope, 'NetworkSection'), 'Network').map((network) => ({
      name: attributeOf(network, 'name') ?? '',
      description: textOf(network, 'Description') ?? '',
    })),
    systems,
    startup: childrenOf(child(content, 'StartupSection') ?? child(envelope, 'StartupSection'), 'Item').map(readStartup),
    products: collection === undefined ? [] : childrenOf(collection, 'ProductSection'),
    eulas: collection === undefined ? [] : readEulas(collection, strings),
    annotation: textOf(content, 'AnnotationSection', 'Annotation') ?? '',
    vendor: { ...vendorSections(envelope), ...(collection === undefined ? {} : vendorSections(collection)) },
  };
}

function virtualSystemsOf(collection: XmlElement): XmlElement[] {
  return collection.children.flatMap((inner) => {
    if (inner.local === 'VirtualSystem') return [inner];
    return inner.local === 'VirtualSystemCollection' ? virtualSystemsOf(inner) : [];
  });
}

function readFile(file: XmlElement): OvfFile {
  const href = attributeOf(file, 'href') ?? '';
  if (href === '' || /(^|\/)\.\.(\/|$)|^\/|^[a-z]+:|\\|\p{Cc}/iu.test(href)) {
    throw badRequest(`The OVF names the file "${href}", which is not a plain relative name.`);
  }
  const size = attributeOf(file, 'size');
  if (size !== undefined && !/^-?\d+$/.test(size)) throw badRequest(`The size of "${href}" is not a number.`);
  const compression = attributeOf(file, 'compression') ?? '';
  if (compression !== '' && compression !== 'identity' && compression !== 'gzip') {
    throw badRequest(`The compression "${compression}" of "${href}" is not supported.`);
  }
  return {
    id: attributeOf(file, 'id') ?? '',
    href,
    bytes: size === undefined || Number(size) < 0 ? -1 : Number(size),
    gzip: compression === 'gzip',
  };
}

function readDisk(disk: XmlElement, files: OvfFile[]): OvfDisk {
  const id = attributeOf(disk, 'diskId') ?? '';
  const capacity = attributeOf(disk, 'capacity') ?? '';
  if (!/^\d+$/.test(capacity)) throw badRequest(`The capacity "${capacity}" of the disk "${id}" is not a number.`);
  const unit = unitBytes(attributeOf(disk, 'capacityAllocationUnits'), 1);
  const fileRef = attributeOf(disk, 'fileRef');
  const file = fileRef === undefined ? undefined : files.find((candidate) => candidate.id === fileRef);
  if (fileRef !== undefined && file === undefined) {
    throw badRequest(`The disk "${id}" refers to the file "${fileRef}", which the References do not have.`);
  }
  return { id, file: file?.href ?? null, capacityBytes: Number(capacity) * unit, unitBytes: unit };
}

function readStartup(item: XmlElement): StartupItem {
  return {
    id: attributeOf(item, 'id') ?? '',
    order: Number(attributeOf(item, 'order') ?? 0),
    startAction: attributeOf(item, 'startAction') ?? 'powerOn',
    startDelay: Number(attributeOf(item, 'startDelay') ?? 0),
    stopAction: attributeOf(item, 'stopAction') ?? 'powerOff',
    stopDelay: Number(attributeOf(item, 'stopDelay') ?? 0),
    waitingForGuest: booleanOf(attributeOf(item, 'waitingForGuest')) ?? false,
  };
}

/** Messages that other elements name by `ovf:msgid`; the first bundle counts. */
function readStrings(envelope: XmlElement): Map<string, string> {
  return new Map(
    childrenOf(child(envelope, 'Strings'), 'Msg').map((message) => [attributeOf(message, 'msgid') ?? '', message.text]),
  );
}
