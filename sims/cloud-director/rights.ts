import { get, type Reply, type Route } from './call.ts';
import type { User } from './entities.ts';
import { badRequest, forbidden, Refusal } from './refusal.ts';
import type { Caller } from './simulator.ts';

/** Rights of an organization administrator, as far as a call here wants them, as the vendor writes them. */
const ALL = [
  'Catalog: Add vApp from My Cloud',
  'Catalog: View Private and Shared Catalogs',
  'General: Administrator View',
  'Organization: View',
  'vApp Template / Media: Create / Upload',
  'vApp Template / Media: Edit',
  'vApp Template / Media: View',
  'vApp Template: Checkout',
  'vApp Template: Download',
  'vApp: Copy',
  'vApp: Create / Reconfigure',
  'vApp: Delete',
  'vApp: Download',
  'vApp: Edit Properties',
  'vApp: Power Operations',
  'vApp: Upload',
];

/** What calls want, by method and path; the first that fits counts, and what fits none everybody may. */
const WANTED: readonly (readonly [method: string, path: RegExp, right: string])[] = [
  ['POST', /\/power\/action\//, 'vApp: Power Operations'],
  ['POST', /\/vapp-[^/]+\/action\/enableDownload$/, 'vApp: Download'],
  ['POST', /\/vappTemplate-[^/]+\/action\/enableDownload$/, 'vApp Template: Download'],
  ['POST', /\/action\/(uploadVAppTemplate|upload)$/, 'vApp Template / Media: Create / Upload'],
  ['POST', /\/action\/instantiateVAppTemplate$/, 'vApp Template: Checkout'],
  ['POST', /\/action\/(composeVApp|recomposeVApp)$/, 'vApp: Create / Reconfigure'],
  ['DELETE', /\/vApp\/vapp-/, 'vApp: Delete'],
  ['GET', /^\/api\/(query|org|vApp|catalog)(\/|$)/, 'Organization: View'],
  ['GET', /^\/cloudapi\/1\.0\.0\/roles\//, 'General: Administrator View'],
];

export function roleIdOf(user: User): string {
  return user.rights === undefined ? user.org : user.id;
}

/** Throws the 403 of a role that lacks the right. */
export function demandRight({ user, system }: Caller, method: string, path: string): void {
  if (system || user.rights === undefined) return;
  const wanted = WANTED.find(([verb, place]) => verb === method && place.test(path))?.[2];
  if (wanted === undefined || user.rights.includes(wanted)) return;
  throw new Refusal(
    403,
    'ACCESS_TO_RESOURCE_IS_FORBIDDEN',
    `You need the right [${wanted}] to perform this operation.`,
  );
}

function rightsOfRole(call: Parameters<Route['handler']>[0]): Reply {
  const role = /[0-9a-f-]{36}$/.exec(decodeURIComponent(call.params.role ?? ''))?.[0];
  const { user } = call.caller;
  if (role === undefined) throw badRequest('The role is not given by its URN.');
  if (role !== roleIdOf(user)) throw forbidden(`role ${role}`);
  const rights = user.rights ?? ALL;
  const size = Math.max(1, Math.min(128, Number(call.query.get('pageSize') ?? 25)));
  const page = Math.max(1, Number(call.query.get('page') ?? 1));
  const values = rights.slice((page - 1) * size, page * size).map((name) => ({ name, id: `urn:vcloud:right:${name}` }));
  return {
    status: 200,
    json: {
      resultTotal: rights.length,
      pageCount: Math.max(1, Math.ceil(rights.length / size)),
      page,
      pageSize: size,
      associations: null,
      values,
    },
  };
}

/** Metadata of an organization for its identity provider, which is read without a session. */
function samlMetadata(call: Parameters<Route['handler']>[0]): Reply {
  const name = decodeURIComponent(call.params.org ?? '').toLowerCase();
  const org = call.sim.store.all('org').find((one) => one.name.toLowerCase() === name);
  if (org === undefined) throw new Refusal(404, 'NOT_FOUND', 'There is no such organization.');
  const id = call.href(`/cloud/org/${encodeURIComponent(org.name)}/saml/metadata/alias/vcd`);
  return {
    status: 200,
    type: 'text/xml',
    text: `<?xml version="1.0" encoding="UTF-8"?>\n<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${id}"/>\n`,
  };
}

export const rightsRoutes: Route[] = [
  get('/cloudapi/1.0.0/roles/:role/rights', rightsOfRole),
  { method: 'GET', path: '/cloud/org/:org/saml/metadata/alias/vcd', handler: samlMetadata, open: true },
];
