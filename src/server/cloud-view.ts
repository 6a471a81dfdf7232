import type { CloudView } from '../protocol/api/clouds.ts';
import type { CloudCheck } from '../protocol/cloud-check.ts';
import type { CloudRow } from './store/clouds.ts';

interface Known {
  row: CloudRow;
  state: CloudView['state'];
  objects: number;
}

/** @param owner Of the installation: what is somebody else's belongs to a tenant. */
export function viewOfCloud({ row, state, objects }: Known, owner: string): CloudView {
  return {
    id: row.id,
    name: row.name,
    driver: row.driver,
    node: row.node,
    ...(row.owner === owner ? {} : { tenant: row.owner }),
    ...(row.sign_in === 'shared' ? {} : { ownAccounts: true }),
    options: row.options,
    trust: row.trust,
    state,
    ...(row.fault === null ? {} : { fault: row.fault }),
    ...(row.about === null ? {} : { product: row.about.product, version: row.about.version }),
    ...(row.about?.checked === undefined ? {} : { checked: withoutCertificate(row.about.checked) }),
    objects,
    facets: row.about?.facets ?? [],
  };
}

function withoutCertificate({ certificate: _, ...checked }: CloudCheck): CloudView['checked'] {
  return checked;
}
