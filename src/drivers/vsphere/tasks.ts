import { delay } from '../../base/backoff.ts';
import { child, type Element, type Ref, textOf } from './element.ts';
import { faultOfMethod } from './faults.ts';
import { readObjects, returned } from './property-collector.ts';
import type { Session } from './session.ts';

/**
 * Calls a `…_Task` method and waits for the end of its task. Resolves with TaskInfo; the error of a task is thrown as
 * VimFault. After an abort the task is cancelled where the server allows that.
 */
export async function runTask(
  session: Session,
  method: string,
  self: Ref,
  signal: AbortSignal,
  content = '',
): Promise<Element> {
  const task = returned(await session.call(method, self, signal, { content }));
  try {
    return await finished(session, task, signal);
  } catch (error) {
    if (signal.aborted) {
      await session.call('CancelTask', task, AbortSignal.timeout(5000)).catch(() => undefined);
    }
    throw error;
  }
}

async function finished(session: Session, task: Ref, signal: AbortSignal): Promise<Element> {
  for (let wait = 30; ; wait = Math.min(1000, wait * 1.6)) {
    const [found] = await readObjects(session, [task], ['info'], signal);
    const info = found?.props.get('info');
    const state = textOf(info, 'state');
    if (info !== undefined && state === 'success') return info;
    if (state === 'error') throw faultOfMethod(child(info, 'error') ?? info!);
    await delay(wait, signal);
  }
}
