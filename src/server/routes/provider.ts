import type { SignInProvider } from '../people/provider.ts';
import type { TerminalSignIn } from '../people/terminal-sign-in.ts';
import type { Handlers } from './bind.ts';

type Names = 'beginSignIn' | 'endSignIn' | 'signInWays' | 'getProvider' | 'setProvider' | 'removeProvider';

export function providerRoutes(provider: SignInProvider, terminal: TerminalSignIn): Pick<Handlers, Names> {
  return {
    beginSignIn: async ({ body }) => terminal.begin(body.redirect),
    async endSignIn({ body: { ticket, returned }, address }) {
      const session = await terminal.end(ticket, returned, address);
      return session === null ? {} : { session };
    },
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
