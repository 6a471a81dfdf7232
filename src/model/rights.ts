/** Who may do what: the words of roles, grants and tokens. */

/**
 * What a grant gives for a cloud, or for an object and everything in it. `copy-out` reads machines and templates out of
 * it, `copy-in` puts them there; every right includes `see`.
 */
export const RIGHTS = ['see', 'operate', 'copy-out', 'copy-in', 'delete'] as const;
export type Right = (typeof RIGHTS)[number];

/** An administrator may do everything, an operator what was granted, a viewer only see what was granted. */
export const ROLES = ['administrator', 'operator', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

/** What a token may do of what its account may: see; also use the granted rights; everything, administration included. */
export const SCOPES = ['read', 'operate', 'own'] as const;
export type Scope = (typeof SCOPES)[number];

/** `forbid` takes a right away, whoever gives it: that is how a folder is marked "never leaves". */
export const EFFECTS = ['allow', 'forbid'] as const;
export type Effect = (typeof EFFECTS)[number];
