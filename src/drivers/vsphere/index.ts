import type { Cloud, Driver } from '../driver.ts';
import { examine } from './examination.ts';
import { vsphereExports } from './exports.ts';
import { vsphereImports } from './imports.ts';
import { VsphereInventory } from './inventory.ts';
import { vsphereObjects } from './marked.ts';
import { endpointOf, options } from './options.ts';
import { vspherePower } from './power.ts';
import { Session } from './session.ts';
import { vsphereSources } from './sources.ts';

/** vCenter Server and ESXi by the vSphere Web Services API (vim25, SOAP) and HttpNfcLease. */
export const driver: Driver = {
  name: 'vsphere',
  title: 'VMware vSphere',
  options,
  endpoint(values) {
    const url = endpointOf(values);
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
  },
  async connect(settings, signal): Promise<Cloud> {
    const session = new Session(settings);
    await session.open(signal);
    const inventory = new VsphereInventory(session);
    return {
      about: (aboutSignal) => session.about(aboutSignal),
      examine: (examineSignal) => examine(session, inventory, examineSignal),
      inventory,
      power: vspherePower(session, inventory),
      exports: vsphereExports(session, inventory),
      imports: vsphereImports(session, inventory),
      objects: vsphereObjects(session, inventory),
      sources: vsphereSources(session, inventory),
      close: () => session.close(),
    };
  },
};
