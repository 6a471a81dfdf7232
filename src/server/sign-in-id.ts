/**
 * The sign-in of one person to a cloud that everybody uses with their own account is a cloud of its own to nodes, jobs and
 * the inventory: session, objects and ledger rows are kept under this id. It stays the same when the person signs out and in
 * again, so that jobs that wait find it.
 */
export function signInId(cloud: string, account: string): string {
  return `${cloud}~${account}`;
}

/** Of which cloud, and whose: null for the cloud as such. */
export function partsOfId(id: string): { cloud: string; account: string | null } {
  const at = id.indexOf('~');
  return at < 0 ? { cloud: id, account: null } : { cloud: id.slice(0, at), account: id.slice(at + 1) };
}
