import { describe, expect, it } from 'vitest';
import type { MarkerOwner } from '../store/orphans.ts';
import { reasonToKeep } from './orphans.ts';

const job = (change: Partial<MarkerOwner> = {}): MarkerOwner => ({
  id: 'job',
  number: 7,
  marker: 'm',
  state: 'failed',
  undoing: false,
  ...change,
});
const finished = { id: 'vm-1', finished: true };
const unfinished = { id: 'vm-1', finished: false };

describe('a marked object', () => {
  it('is an orphan when its job is over and kept nothing, finished or not', () => {
    for (const object of [finished, unfinished]) expect(reasonToKeep(object, job(), [])).toBeUndefined();
  });

  it('is an orphan when it is not finished and nobody knows its job', () => {
    expect(reasonToKeep(unfinished, undefined, [])).toBeUndefined();
  });

  it('is none when it is finished and nobody knows its job: it may be the only copy', () => {
    expect(reasonToKeep(finished, undefined, [])).toMatch(/not known here/);
  });

  it('is none when its job kept it, runs, or is being undone', () => {
    expect(reasonToKeep(finished, job({ state: 'succeeded' }), [{ objectId: 'vm-1' }])).toBe('job 7 kept it');
    expect(reasonToKeep(unfinished, job({ state: 'running' }), [])).toBe('job 7 works on it');
    expect(reasonToKeep(finished, job({ undoing: true }), [])).toBe('job 7 works on it');
  });

  it('is none when its job kept another one: it may be a clone that somebody uses', () => {
    const kept = [{ objectId: 'vm-0' }];
    expect(reasonToKeep(finished, job({ state: 'succeeded' }), kept)).toMatch(/clone/);
    expect(reasonToKeep(unfinished, job({ state: 'succeeded' }), kept)).toBeUndefined();
  });
});
