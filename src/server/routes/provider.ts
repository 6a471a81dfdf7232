import type { SignInProvider } from '../people/provider.ts';
import type { Handlers } from './bind.ts';

type Names = 'signInWays' | 'getProvider' | 'setProvider' | 'removeProvider';

export function providerRoutes(provider: SignInProvider): Pick<Handlers, Names> {
  return {
    async signInWays() {
      const known = await provider.get();
      return { provider: known === null ? null : { label: known.label } };
    },
    getProvider: async () => ({ provider: await provider.get() }),
    async setProvider({ body: { clientSecret, ...wanted } }) {
      return provider.set(wanted, clientSecret);
    },
    async removeProvider() {
      await provider.remove();
      return {};
    },
  };
}
