import type { Identity } from '../base/identity.ts';
import { driver as cloudDirector } from '../drivers/cloud-director/index.ts';
import type { Driver } from '../drivers/driver.ts';
import { folderDriver } from '../drivers/folder/index.ts';
import { driver as vsphere } from '../drivers/vsphere/index.ts';
import { Fault } from '../model/fault.ts';

export type DriverList = readonly Driver[];

/** Every kind of cloud that a node can speak to. */
export const drivers: DriverList = [vsphere, cloudDirector];

/** Those of one node: packages in folders only where its operator named some. */
export function driversOf(
  options: { packages?: readonly string[]; packagePassphrase?: string; packageFingerprint?: string },
  identity: Identity,
): DriverList {
  const { packages = [], packagePassphrase: passphrase, packageFingerprint: fingerprint } = options;
  if (packages.length === 0) return drivers;
  return [
    ...drivers,
    folderDriver({
      roots: packages,
      identity,
      ...(passphrase === undefined ? {} : { passphrase }),
      ...(fingerprint === undefined ? {} : { fingerprint }),
    }),
  ];
}

/** Fault `cloud.unsupported` names the drivers that there are. */
export function findDriver(drivers: DriverList, name: string): Driver {
  const driver = drivers.find((one) => one.name === name);
  if (driver !== undefined) return driver;
  throw new Fault('cloud.unsupported', `this node has no driver "${name}"`, {
    remedy: `Choose one of: ${drivers.map((one) => one.name).join(', ')}. A newer node may have more.`,
  });
}
