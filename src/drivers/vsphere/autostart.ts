import { z } from 'zod';
import { OFF } from '../../model/setting.ts';
import { childrenOf, type Element, numberOf, type Ref, refOf, textOf } from './element.ts';
import { isVimFault } from './faults.ts';
import type { SourceMachine } from './package.ts';
import { readObjects } from './property-collector.ts';
import type { Session } from './session.ts';
import { element, leaf, reference } from './soap.ts';

/** AutoStartPowerInfo without its key (vSphere Web Services API, HostAutoStartManager). */
const PowerInfoSchema = z.object({
  startOrder: z.number(),
  startDelay: z.number(),
  waitForHeartbeat: z.enum(['yes', 'no', 'systemDefault']),
  startAction: z.string(),
  stopDelay: z.number(),
  stopAction: z.string(),
});
type PowerInfo = z.infer<typeof PowerInfoSchema>;
const AutostartSchema = z.record(z.string(), PowerInfoSchema);

/** Taken out of the host's list: `none` starts nothing, -1 is no place in the order. */
const NOT_STARTED = { startOrder: -1, startDelay: -1, waitForHeartbeat: 'systemDefault', startAction: 'none' } as const;
const NEVER: PowerInfo = { ...NOT_STARTED, stopDelay: -1, stopAction: 'systemDefault' };

/**
 * Which of the machines their hosts start by themselves, as text; undefined where no host of theirs tells. The hosts of a
 * cluster with HA ignore the list, and an account may not be allowed to read it: there is nothing to set back then.
 */
export async function autostartOf(
  session: Session,
  machines: readonly SourceMachine[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const lists = await listsOf(session, machines, signal);
  if (lists.length === 0) return undefined;
  const started = lists.flatMap(({ machine, entry }) =>
    entry === undefined || entry.startAction.toLowerCase() !== 'poweron' ? [] : [[machine.id, entry] as const],
  );
  return started.length === 0 ? OFF : JSON.stringify(Object.fromEntries(started));
}

export async function setAutostart(
  session: Session,
  machines: readonly SourceMachine[],
  value: string,
  signal: AbortSignal,
): Promise<void> {
  const wanted = value === OFF ? {} : AutostartSchema.parse(JSON.parse(value));
  for (const { machine, manager, entry } of await listsOf(session, machines, signal)) {
    const next = wanted[machine.id] ?? (value === OFF && entry !== undefined ? NEVER : undefined);
    if (next === undefined) continue;
    const info = element(
      'powerInfo',
      reference('key', machine),
      leaf('startOrder', next.startOrder),
      leaf('startDelay', next.startDelay),
      leaf('waitForHeartbeat', next.waitForHeartbeat),
      leaf('startAction', next.startAction),
      leaf('stopDelay', next.stopDelay),
      leaf('stopAction', next.stopAction),
    );
    await session.call('ReconfigureAutostart', manager, signal, { content: element('spec', info) });
  }
}

/** The list of each machine's host, and the machine's place in it. */
async function listsOf(session: Session, machines: readonly SourceMachine[], signal: AbortSignal) {
  const lists: { machine: Ref; manager: Ref; entry: PowerInfo | undefined }[] = [];
  for (const { ref: machine } of machines) {
    const host = refOf((await property(session, machine, 'runtime.host', signal)) ?? undefined);
    if (host === undefined) continue;
    const manager = refOf(await property(session, host, 'configManager.autoStartManager', signal));
    if (manager === undefined) continue;
    const config = await property(session, manager, 'config', signal);
    if (config === undefined) continue;
    const info = childrenOf(config, 'powerInfo').find((one) => refOf(one, 'key')?.id === machine.id);
    lists.push({ machine, manager, entry: info === undefined ? undefined : entryOf(info) });
  }
  return lists;
}

function entryOf(info: Element): PowerInfo {
  const number = (name: string) => numberOf(info, name) ?? -1;
  const heartbeat = textOf(info, 'waitForHeartbeat');
  return {
    startOrder: number('startOrder'),
    startDelay: number('startDelay'),
    waitForHeartbeat: heartbeat === 'yes' || heartbeat === 'no' ? heartbeat : 'systemDefault',
    startAction: textOf(info, 'startAction') ?? 'none',
    stopDelay: number('stopDelay'),
    stopAction: textOf(info, 'stopAction') ?? 'systemDefault',
  };
}

async function property(session: Session, ref: Ref, path: string, signal: AbortSignal): Promise<Element | undefined> {
  try {
    const [content] = await readObjects(session, [ref], [path], signal);
    return content?.props.get(path);
  } catch (error) {
    if (isVimFault(error, 'NoPermission', 'InvalidProperty', 'ManagedObjectNotFound')) return undefined;
    throw error;
  }
}
