import type { ConnectSettings, Driver } from '../../../src/drivers/driver.ts';
import type { InventoryObject } from '../../../src/model/inventory.ts';

/** A machine, vApp or template of the world whose bytes are known without asking the driver. */
export interface KnownSource {
  id: string;
  name: string;
  /** In the order of the description. */
  disks: { capacityBytes: number; root: string }[];
}

/**
 * What a kind of cloud has not, so that no promise about it can be tested: accounts and sessions, a network to be
 * reached over, machines that run, networks to attach to, licenses that it takes acceptance of, sources whose settings a
 * move could change.
 */
export type Lack = 'accounts' | 'network-access' | 'running-machines' | 'networks' | 'licenses' | 'sources';

/**
 * A cloud to try a driver on, and the hands that reach into it behind the driver's back. One world serves one whole
 * suite; nothing in it is used by anybody else.
 */
export interface World {
  driver: Driver;
  /** With which `connect` succeeds. */
  settings: ConnectSettings;
  /** The same address and user with another password. */
  wrongPassword: ConnectSettings['options'];
  /** An option set that leads to a port on which nobody listens. */
  unreachable: ConnectSettings['options'];

  vm: KnownSource;
  vapp: KnownSource;
  template: KnownSource;
  /** An image of a disc; its one file stands for the disk. */
  media: KnownSource;
  /** Id of a machine that is powered on and may be switched. */
  running: string;
  /** Id of a folder, pool, VDC … for machines, and of one for templates. */
  machines: string;
  templates: string;
  /** Id of a catalog, datastore or folder for media. */
  images: string;
  /** A network to which adapters can be mapped. */
  network: { id: string; name: string };
  /** A name with spaces, slash, percent sign and letters that are not ASCII, as far as this cloud takes them. */
  oddName: string;
  /** Whether this cloud tells checksums of what it stored. */
  givesChecksums: boolean;
  /** Fields of a machine that a round trip through this cloud does not keep, said in its page of the docs. */
  lost: readonly string[];
  /** Choices of placement with which packages are put there; none when left out. */
  placement?: Record<string, string>;
  /** Nothing when left out. */
  lacks?: readonly Lack[];

  /** Logins that the cloud has seen, refused ones too. */
  logins(): number | Promise<number>;
  /** Leases, download areas and uploads that are open now. */
  openTransfers(): number | Promise<number>;
  /** Changes an object behind the driver's back. `seen` tells whether an event's object shows the change. */
  change(): Promise<{ id: string; seen(object: InventoryObject): boolean }>;
  /** Removes an object behind the driver's back; resolves with its id. */
  remove(): Promise<string>;
  /** Forgets every session. */
  expireSessions(): Promise<void>;
  /** Answers the next call with 503 and `Retry-After: <seconds>`. */
  answerBusy(seconds: number): Promise<void>;
  /** Cuts the connection of the next upload of disk bytes after that many bytes. */
  cutUpload(afterBytes: number): Promise<void>;
  /** The same for the next upload of an image's bytes. */
  cutMediaUpload(afterBytes: number): Promise<void>;
  /** Names of all images that are there, finished or not, read without the driver. */
  mediaNames(): Promise<string[]>;
  /** Makes a finished image somebody else's: takes the marker off, or writes to it where there is none. */
  takeMedia(id: string): Promise<void>;
  /** Cuts the connection of the next download of disk bytes after that many bytes. */
  cutDownload(afterBytes: number): Promise<void>;
  /** Takes every trace of Cloudspan's marker off an object, as a person might. */
  stripMarker(id: string): Promise<void>;
  /** Changes a setting of an object that an import made, as a person might. */
  reconfigure(id: string): Promise<void>;
  close(): Promise<void>;
}

/** Whether one of these is not there to be tested. */
export function lacks(world: World, ...what: Lack[]): boolean {
  return what.some((one) => world.lacks?.includes(one) === true);
}
