import type { Identity } from '../base/identity.ts';
import type { Way } from '../model/proxy.ts';
import type { Membership } from './membership.ts';

/** The ways out of this node, each with proxies of its own. */
export interface Ways {
  /** To its servers: links, joins, and the relay that a server is. */
  readonly server: Way;
  /** To other nodes, also as relays. */
  readonly peer: Way;
  /** To the APIs of clouds. */
  readonly cloud: Way;
}

export const STRAIGHT: Ways = { server: () => null, peer: () => null, cloud: () => null };

/** As whom this node goes out, and by which ways. */
export interface Outward {
  readonly identity: Identity;
  readonly membership: Membership;
  readonly ways: Ways;
}
