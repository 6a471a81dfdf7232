import { Fault } from '../../model/fault.ts';
import { KEY_BYTES } from '../../transfer/store/sealing.ts';
import type { Handlers } from '../api.ts';
import type { Storage } from '../storage.ts';
import { ownerAt } from '../work/desk.ts';
import type { Works } from '../work/works.ts';

export function ownerRoutes({ store }: Storage, works: Works): Pick<Handlers, 'giveKey' | 'eraseOwner'> {
  return {
    async giveKey({ server, parameters, body }) {
      const key = Buffer.from(body.key, 'base64');
      if (key.length !== KEY_BYTES) throw new Fault('input.invalid', `a storage key has ${KEY_BYTES} bytes`);
      await store.unlock(ownerAt(server, parameters.owner ?? ''), key);
      return {};
    },
    async eraseOwner({ server, parameters }) {
      await works.erase(server, parameters.owner ?? '');
      return {};
    },
  };
}
