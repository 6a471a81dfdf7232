import type { Check } from '../../model/check.ts';
import {
  CAPABILITIES,
  type Capability,
  type CapabilityName,
  type Examination,
  privilegesCheck,
} from '../../model/cloud-check.ts';
import { Fault } from '../../model/fault.ts';
import type { CloudAbout } from '../driver.ts';
import { query } from './query.ts';
import type { Session } from './session.ts';

/** Rights by capability, as the role editor of the portal writes them; docs/drivers/cloud-director.md lists the same. */
export const RIGHTS: Record<Exclude<CapabilityName, 'inventory'>, readonly string[]> = {
  power: ['vApp: Power Operations'],
  'copy-out': ['vApp: Download', 'vApp Template: Download'],
  'copy-in': ['vApp Template / Media: Create / Upload', 'vApp: Create / Reconfigure', 'vApp Template: Checkout'],
  media: ['vApp Template / Media: Create / Upload'],
  undo: ['vApp: Delete', 'vApp Template / Media: Edit'],
};

/** Capabilities that want each of their rights; of others some are better than none. */
const WHOLE: ReadonlySet<CapabilityName> = new Set<CapabilityName>(['copy-in', 'undo']);

const PAGE = 128;
const MOST_PAGES = 50;

export async function examine(session: Session, about: CloudAbout, signal: AbortSignal): Promise<Examination> {
  const inventory = await inventoryCapability(session, signal);
  const rights = inventory.state === 'missing' ? new Set<string>() : await rightsOf(session, signal);
  const allowed = CAPABILITIES.map((name) => (name === 'inventory' ? inventory : capabilityOf(name, rights)));
  const remedy = 'Have the rights that are named added to its role, or leave out what needs them.';
  const privileges = privilegesCheck(about.user, allowed, remedy);
  const capabilities = allowed.map((one) => byRelease(session, one));
  return { checks: [versionCheck(session, about), rights === null ? unread(privileges) : privileges], capabilities };
}

function versionCheck(session: Session, { product, version }: CloudAbout): Check {
  const found = `It is ${product} ${version}, spoken to in version ${session.version} of its API.`;
  if (session.serves('37.1')) return { name: 'version', outcome: 'pass', found };
  return {
    name: 'version',
    outcome: 'warn',
    found: `${found} Before 37.1 the firmware (BIOS or EFI) cannot be corrected through the API.`,
    remedy: 'Compare it after a copy into it, or update Cloud Director.',
  };
}

/** What an older release leaves out. */
function byRelease(session: Session, capability: Capability): Capability {
  if (capability.name !== 'copy-in' || capability.state !== 'works' || session.serves('37.1')) return capability;
  return {
    name: 'copy-in',
    state: 'degraded',
    found: `Machines arrive, but their firmware is what Cloud Director makes of the descriptor: API ${session.version} cannot correct it.`,
    remedy: 'Compare it after the copy, or update Cloud Director to one with API 37.1.',
  };
}

async function inventoryCapability(session: Session, signal: AbortSignal): Promise<Capability> {
  try {
    const vdcs = await query(session, 'orgVdc', signal);
    const vapps = await query(session, 'vApp', signal);
    if (vdcs.length === 0) {
      return {
        name: 'inventory',
        state: 'degraded',
        found: `The account sees no virtual data center, and ${vapps.length} vApps.`,
        remedy: 'Have the account given access to the VDCs of the organization.',
      };
    }
    return {
      name: 'inventory',
      state: 'works',
      found: `The account sees ${vdcs.length} virtual data centers and ${vapps.length} vApps.`,
    };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Fault) || (error.code !== 'auth.forbidden' && error.code !== 'object.missing')) throw error;
    return {
      name: 'inventory',
      state: 'missing',
      found: 'The role of the account has no right to use the API: even what is its own cannot be listed.',
      remedy: 'Give it a role such as vApp Author or Organization Administrator.',
    };
  }
}

/** Names of the rights of the session's roles; null where the account may not read its own role. */
async function rightsOf(session: Session, signal: AbortSignal): Promise<Set<string> | null> {
  const rights = new Set<string>();
  try {
    const current = (await readJson(session, '/cloudapi/1.0.0/sessions/current', signal)) as Roles;
    for (const { id = '' } of current.roleRefs ?? []) {
      for (let page = 1; page <= MOST_PAGES; page++) {
        const path = `/cloudapi/1.0.0/roles/${encodeURIComponent(id)}/rights?page=${page}&pageSize=${PAGE}`;
        const { values = [], pageCount = 1 } = (await readJson(session, path, signal)) as RightsPage;
        for (const { name } of values) if (typeof name === 'string') rights.add(name);
        if (page >= pageCount) break;
      }
    }
    return rights.size === 0 ? null : rights;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Fault && (error.code === 'auth.forbidden' || error.code === 'object.missing')) return null;
    throw error;
  }
}

interface Roles {
  roleRefs?: { id?: string }[];
}

interface RightsPage {
  values?: { name?: unknown }[];
  pageCount?: number;
}

async function readJson(session: Session, href: string, signal: AbortSignal): Promise<unknown> {
  const accept = `application/json;version=${session.version}`;
  const text = await session.readText(href, 'read the rights of the account', signal, accept);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new Fault('cloud.protocol', `${session.who}: read the rights of the account: the answer is no JSON`, {
      cause,
    });
  }
}

function capabilityOf(name: Exclude<CapabilityName, 'inventory'>, rights: Set<string> | null): Capability {
  if (rights === null)
    return { name, state: 'works', found: 'The account may not read its own role; a copy will tell.' };
  const wanted = RIGHTS[name];
  const missing = wanted.filter((right) => !rights.has(right));
  if (missing.length === 0) return { name, state: 'works', found: `Its role has ${quoted(wanted)}.` };
  const none = missing.length === wanted.length || WHOLE.has(name);
  return {
    name,
    state: none ? 'missing' : 'degraded',
    found: `Its role lacks ${quoted(missing)}.`,
    remedy: 'Have the rights added to the role.',
  };
}

function quoted(rights: readonly string[]): string {
  return rights.map((right) => `"${right}"`).join(', ');
}

function unread(check: Check): Check {
  if (check.outcome !== 'pass') return check;
  return {
    name: 'privileges',
    outcome: 'warn',
    found: 'The account may not read its own role, so its rights are not known before they are needed.',
    remedy: 'Nothing, if its administrator says that it has those of docs/drivers/cloud-director.md.',
  };
}
