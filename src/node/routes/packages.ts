import { createPrivateKey } from 'node:crypto';
import type { Identity } from '../../base/identity.ts';
import { openSealedKey, readPublicKey, sealKey } from '../../base/sealed-key.ts';
import { keyContext } from '../../drivers/folder/package/keys.ts';
import { Fault } from '../../model/fault.ts';
import type { Handlers } from '../api.ts';

/** Packages that were written for this node, opened by another one that has them: the private key stays here. */
export function packageRoutes(identity: Identity): Pick<Handlers, 'handPackageKey'> {
  return {
    async handPackageKey({ body }) {
      const context = keyContext(body.package);
      const secret = openSealedKey(body.sealed, createPrivateKey(identity.key), context);
      if (secret === null) throw new Fault('package.locked', `package ${body.package} was not written for this node`);
      try {
        return sealKey(secret, readPublicKey(body.recipient), context);
      } finally {
        secret.fill(0);
      }
    },
  };
}
