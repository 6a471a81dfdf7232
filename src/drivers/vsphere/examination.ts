import type { Capability, CapabilityName, Examination } from '../../model/cloud-check.ts';
import { privilegesCheck } from '../../model/cloud-check.ts';
import { Fault } from '../../model/fault.ts';
import { childrenOf, type Ref, refOf, textOf } from './element.ts';
import { toFault } from './faults.ts';
import type { VsphereInventory } from './inventory.ts';
import type { Session } from './session.ts';
import { leaf, reference } from './soap.ts';

/** Privileges by the kind of object that they are needed on, as the vendor names them. */
type Needs = Record<string, readonly string[]>;

const MACHINES = 'VirtualMachine';

/** What each capability calls: docs/drivers/vsphere.md lists the same ones. */
export const PRIVILEGES: Record<Exclude<CapabilityName, 'inventory'>, Needs> = {
  power: {
    [MACHINES]: [
      'VirtualMachine.Interact.PowerOn',
      'VirtualMachine.Interact.PowerOff',
      'VirtualMachine.Interact.Suspend',
      'VirtualMachine.Interact.Reset',
    ],
  },
  'copy-out': { [MACHINES]: ['VApp.Export', 'VirtualMachine.Provisioning.GetVmFiles'] },
  'copy-in': {
    Folder: ['VirtualMachine.Inventory.Create', 'VirtualMachine.Config.Annotation', 'VirtualMachine.Config.Rename'],
    ResourcePool: ['VApp.Import', 'Resource.AssignVMToPool'],
    Datastore: ['Datastore.AllocateSpace'],
    Network: ['Network.Assign'],
  },
  media: { Datastore: ['Datastore.Browse', 'Datastore.FileManagement'] },
  undo: { [MACHINES]: ['VirtualMachine.Inventory.Delete', 'VirtualMachine.Config.Annotation'] },
};

/** Kinds of objects that privileges are asked on, besides the folders that hold machines. */
const TYPES = [MACHINES, 'ResourcePool', 'Datastore', 'Network'];

/** Of many objects of a kind so many are asked about, spread over all of them. */
const SAMPLE = 100;

const OLDEST = [6, 5] as const;

export async function examine(
  session: Session,
  inventory: VsphereInventory,
  signal: AbortSignal,
): Promise<Examination> {
  const { product, version, user } = await session.about(signal);
  const old = isOlder(version);
  const versionCheck = old
    ? {
        name: 'version',
        outcome: 'warn' as const,
        found: `It is ${product}; Cloudspan was written for 6.5 and newer.`,
        remedy: 'Update it, or try a copy of an unimportant machine first.',
      }
    : { name: 'version', outcome: 'pass' as const, found: `It is ${product}.` };
  const capabilities = await capabilitiesOf(session, inventory, signal);
  const remedy = 'Give its role the privileges that are named, or leave out what needs them.';
  return { checks: [versionCheck, privilegesCheck(user, capabilities, remedy)], capabilities };
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return version !== '' && (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]));
}

async function capabilitiesOf(
  session: Session,
  inventory: VsphereInventory,
  signal: AbortSignal,
): Promise<Capability[]> {
  const seen = new Map<string, Ref[]>();
  try {
    const folders = await inventory.list(['Folder'], ['childType'], signal);
    const holding = folders.filter(({ props }) =>
      props.get('childType')?.children.some(({ text }) => text === MACHINES),
    );
    for (const { ref } of [...holding, ...(await inventory.list(TYPES, ['name'], signal))]) {
      // A port group is a network too, and a vApp a pool.
      const kind = ref.type === 'VirtualApp' ? 'ResourcePool' : ref.type.endsWith('Portgroup') ? 'Network' : ref.type;
      const of = seen.get(kind);
      if (of === undefined) seen.set(kind, [ref]);
      else of.push(ref);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error, session.who, 'reading the inventory');
  }
  const objects = [...seen.values()].reduce((sum, refs) => sum + refs.length, 0);
  const machines = seen.get(MACHINES)?.length ?? 0;
  const inventoryCapability: Capability =
    objects === 0
      ? {
          name: 'inventory',
          state: 'missing',
          found: 'The account sees nothing.',
          remedy: 'Give it a role with System.View on the datacenter or folder that Cloudspan shall show.',
        }
      : {
          name: 'inventory',
          state: 'works',
          found: `The account sees ${objects} objects, ${machines} machines among them.`,
        };
  const granted = await readGrants(session, seen, signal);
  const others = Object.entries(PRIVILEGES).map(([name, needs]) =>
    capabilityOf(name as CapabilityName, needs, seen, granted),
  );
  return [inventoryCapability, ...others];
}

/** Of each privilege the ids on which it is granted; null where the server does not tell. */
type Grants = Map<string, Set<string>> | null;

async function readGrants(session: Session, seen: Map<string, Ref[]>, signal: AbortSignal): Promise<Grants> {
  const granted = new Map<string, Set<string>>();
  for (const [kind, refs] of seen) {
    const privileges = [...new Set(Object.values(PRIVILEGES).flatMap((needs) => needs[kind] ?? []))];
    if (privileges.length === 0) continue;
    try {
      const content =
        sampleOf(refs)
          .map((ref) => reference('entity', ref))
          .join('') +
        leaf('sessionId', session.key) +
        privileges.map((privilege) => leaf('privId', privilege)).join('');
      const manager = session.service('authorizationManager');
      const answer = await session.call('HasPrivilegeOnEntities', manager, signal, { content });
      for (const entity of childrenOf(answer, 'returnval')) {
        const id = refOf(entity, 'entity')?.id ?? '';
        for (const one of childrenOf(entity, 'privAvailability')) {
          if (textOf(one, 'isGranted') !== 'true') continue;
          const privilege = textOf(one, 'privId') ?? '';
          granted.set(privilege, (granted.get(privilege) ?? new Set()).add(id));
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Fault && error.code !== 'cloud.unsupported') throw error;
      session.log.info(`${session.who}: the privileges cannot be read`, { error: String(error) });
      return null;
    }
  }
  return granted;
}

function capabilityOf(name: CapabilityName, needs: Needs, seen: Map<string, Ref[]>, granted: Grants): Capability {
  if (granted === null)
    return { name, state: 'works', found: 'This server does not tell the privileges; a copy will.' };
  const shortages: { privilege: string; kind: string; held: number; of: number }[] = [];
  for (const [kind, privileges] of Object.entries(needs)) {
    const sample = sampleOf(seen.get(kind) ?? []);
    for (const privilege of privileges) {
      const held = sample.filter(({ id }) => granted.get(privilege)?.has(id)).length;
      if (held < sample.length) shortages.push({ privilege, kind, held, of: sample.length });
    }
  }
  if (shortages.length === 0) return { name, state: 'works', found: 'Every privilege that it needs is granted.' };
  // Without a network a copy still arrives, disconnected.
  const state = shortages.some(({ held, kind }) => held === 0 && kind !== 'Network') ? 'missing' : 'degraded';
  const texts = shortages.map(({ privilege, kind, held, of }) =>
    held === 0 ? privilege : `${privilege} (only on ${held} of ${of} of kind ${kind})`,
  );
  return {
    name,
    state,
    found: `Not granted: ${texts.join(', ')}.`,
    remedy: 'Add the privileges to the role of the account.',
  };
}

function sampleOf(refs: readonly Ref[]): Ref[] {
  if (refs.length <= SAMPLE) return [...refs];
  const step = refs.length / SAMPLE;
  return Array.from({ length: SAMPLE }, (_, index) => refs[Math.floor(index * step)]).filter(
    (ref) => ref !== undefined,
  );
}
