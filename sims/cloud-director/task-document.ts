import { type Call, document, get, noContent, post, type Reply, type Route, type View, visible } from './call.ts';
import type { OwnerKind, Task } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { link, ownerReference, reference, urn } from './references.ts';
import { isOpen } from './tasks.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

function taskMarkup(view: View, task: Task, root = false): Markup {
  const { store } = view.sim;
  const path = `/api/task/${task.id}`;
  const user = store.get('user', task.user);
  const org = store.get('org', task.org);
  return el(
    'Task',
    {
      ...(root ? apiDeclarations : {}),
      cancelRequested: task.cancelRequested,
      endTime: task.ended,
      expiryTime: new Date(Date.parse(task.started) + 90 * 86_400_000).toISOString(),
      operation: task.operation,
      operationName: task.operationName,
      serviceNamespace: 'com.vmware.vcloud',
      startTime: task.started,
      status: task.status,
      name: 'task',
      id: urn('task', task.id),
      href: view.href(path),
      type: mediaTypes.task,
    },
    isOpen(task) ? link(view, 'task:cancel', `${path}/action/cancel`) : null,
    ownerReference(view, task.owner),
    task.error === null
      ? null
      : el('Error', {
          majorErrorCode: task.error.major,
          minorErrorCode: task.error.minor,
          message: `[ ${task.id} ] ${task.error.message}`,
          vendorSpecificErrorCode: '',
        }),
    user === undefined ? null : reference(view, 'User', 'user', user),
    org === undefined ? null : reference(view, 'Organization', 'org', org),
    leaf('Progress', task.progress),
    leaf('Details', task.details),
  );
}

/** `<Tasks>` of an entity, or nothing when it had none lately. */
export function tasksOf(view: View, entity: string): Markup | null {
  const tasks = view.sim.tasks.recentOn(entity);
  return tasks.length === 0
    ? null
    : el(
        'Tasks',
        {},
        tasks.map((task) => taskMarkup(view, task)),
      );
}

/** 202 with the task: the answer to every action. */
export function accepted(view: View, task: Task): Reply {
  return document(mediaTypes.task, taskMarkup(view, task, true), 202);
}

/** Starts a task in the caller's name. */
export function begin(
  view: View,
  operationName: string,
  operation: string,
  owner: { kind: OwnerKind; id: string; name: string; org: string },
  work: { kind: string; args: unknown },
  scheduled = true,
): Task {
  return view.sim.tasks.start({
    operationName,
    operation,
    owner: { kind: owner.kind, id: owner.id, name: owner.name },
    org: owner.org,
    user: view.caller.user.id,
    work,
    scheduled,
  });
}

export const taskRoutes: Route[] = [
  get('/api/task/:id', (call) => document(mediaTypes.task, taskMarkup(call, call.entity('task'), true))),
  post('/api/task/:id/action/cancel', (call) => {
    call.sim.tasks.cancel(call.entity('task').id);
    return noContent;
  }),
  get('/api/tasksList/:id', (call: Call) => {
    const org = visible(call, 'org', call.id);
    const tasks = call.sim.store
      .all('task')
      .filter((task) => task.org === org.id)
      .slice(-200)
      .reverse();
    return document(
      mediaTypes.tasksList,
      el(
        'TasksList',
        {
          ...apiDeclarations,
          name: 'Tasks Lists',
          href: call.href(`/api/tasksList/${org.id}`),
          type: mediaTypes.tasksList,
        },
        tasks.map((task) => taskMarkup(call, task)),
      ),
    );
  }),
];
