import { Fault } from '../../model/fault.ts';
import { readUnended } from '../store/jobs.ts';
import type { JobContext } from './context.ts';

/** Who needs an object just now, for people: `job 7`. What is held is not removed. */
export async function holderOf(
  { database, objects }: Pick<JobContext, 'database' | 'objects'>,
  cloud: string,
  object: string,
): Promise<string | undefined> {
  for (const { number, request } of await readUnended(database)) {
    for (const text of [request.source, request.seed ?? '']) {
      if (text !== '' && (await names(objects, text, cloud, object))) return `job ${number}`;
    }
  }
  return undefined;
}

async function names(objects: JobContext['objects'], text: string, cloud: string, object: string): Promise<boolean> {
  try {
    const found = await objects.find(text);
    return found.cloud === cloud && found.objects.some(({ id }) => id === object);
  } catch (error) {
    if (error instanceof Fault && error.code === 'object.missing') return false;
    throw error;
  }
}
