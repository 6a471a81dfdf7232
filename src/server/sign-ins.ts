import { Fault } from '../model/fault.ts';
import type { OptionValues } from '../model/option.ts';
import type { CloudView } from '../protocol/api/clouds.ts';
import { ACCOUNT_OPTION, sessionRequest, splitOptions, withoutAccount } from './cloud-session.ts';
import type { Clouds } from './clouds.ts';
import { refuseWhileUsed } from './jobs/usage.ts';
import type { Nodes } from './nodes.ts';
import { signInId } from './sign-in-id.ts';
import { type CloudRow, deleteCloud, putSignIn, readSignIns } from './store/clouds.ts';
import type { Database } from './store/database.ts';
import type { Vault } from './vault.ts';

const SIGN_IN_MILLISECONDS = 120_000;
/** The sign-ins of people to clouds that everybody uses with their own account. */
export interface SignIns {
  /**
   * Tries them at the cloud, then keeps them in the vault. Jobs that wait for a sign-in go on. Faults: those of the login,
   * `input.invalid`: the cloud has one account for everybody, or an option is not the person's to choose.
   */
  signIn(cloud: CloudRow, account: string, options: OptionValues, signal: AbortSignal): Promise<CloudView>;
  /** Forgets them. Faults: `object.in-use` while a job uses them, `object.missing`. */
  signOut(cloud: CloudRow, account: string): Promise<void>;
  /** Fault `object.in-use` while a job uses one of the account's. */
  refuseWhileUsed(account: string): Promise<void>;
  /** Ends the sessions of an account that is gone. */
  drop(account: string): Promise<void>;
}

export function createSignIns({
  database,
  nodes,
  clouds,
  vault,
}: {
  database: Database;
  nodes: Nodes;
  clouds: Clouds;
  vault: Vault;
}): SignIns {
  return {
    async signIn(cloud, account, options, signal) {
      const { id: base, name, node: nodeId, driver } = cloud;
      if (cloud.sign_in === 'shared') {
        throw new Fault('input.invalid', `${name} is used with one account for everybody`, {
          remedy: 'There is nothing to sign in to: what you may see and do in it is granted.',
        });
      }
      const node = nodes.get(nodeId);
      const described = node.about?.drivers.find((one) => one.name === driver)?.options ?? [];
      const free = described
        .filter((one) => one.type === 'secret' || one.name === ACCOUNT_OPTION)
        .map((one) => one.name);
      const other = Object.keys(options).find((key) => !free.includes(key));
      if (other !== undefined) {
        throw new Fault('input.invalid', `${other} of ${name} is the same for everybody`, {
          remedy: `Give: ${free.join(', ')}.`,
        });
      }
      const { plain, secrets } = splitOptions(node, driver, { ...withoutAccount(cloud.options), ...options }, vault);
      const row: CloudRow = {
        ...cloud,
        ...{ id: signInId(base, account), base, account, options: plain, about: null, fault: null },
      };
      const limited = AbortSignal.any([signal, AbortSignal.timeout(SIGN_IN_MILLISECONDS)]);
      const body = sessionRequest(row, secrets, vault);
      row.about = await nodes.client(node.id).openSession({ cloud: row.id, body }, limited);
      await putSignIn(database, row, secrets);
      return clouds.adopt(row);
    },
    async signOut(cloud, account) {
      const id = signInId(cloud.id, account);
      if (clouds.nameOf(id) === null) throw new Fault('object.missing', `you are not signed in to ${cloud.name}`);
      await refuseWhileUsed(database, id, `your sign-in to ${cloud.name}`);
      await deleteCloud(database, id);
      await clouds.drop(id);
    },
    async refuseWhileUsed(account) {
      for (const { id, name } of await readSignIns(database, account)) {
        await refuseWhileUsed(database, id, `the sign-in of the account to ${name}`);
      }
    },
    async drop(account) {
      for (const { id } of clouds.list()) await clouds.drop(signInId(id, account));
    },
  };
}
