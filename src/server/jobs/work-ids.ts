export const exportWork = (job: string) => `${job}.export`;
export const importWork = (job: string) => `${job}.import`;
export const seedWork = (job: string) => `${job}.seed`;
export const asideWork = (job: string) => `${job}.aside`;

/** Every work that a job may have on a node, but for those of undoing. */
export const worksOf = (job: string) => [exportWork(job), importWork(job), seedWork(job), asideWork(job)];
