import type { Lab } from './lab.ts';
import { kind } from './managed.ts';
import type { HostRecord } from './record.ts';
import { type Data, number, object, objects, type Ref, ref, reference, text } from './value.ts';
import { invalidArgument } from './vim-fault.ts';

const PREFIX = 'autoStartManager-';

/** `SystemDefaults` of the API reference: nothing starts by itself until somebody says so. */
const DEFAULTS: Data = {
  enabled: false,
  startDelay: 120,
  stopDelay: 120,
  waitForHeartbeat: false,
  stopAction: 'PowerOff',
};

export function autoStartManagerRef(host: HostRecord): Ref {
  return ref('HostAutoStartManager', `${PREFIX}${host.id}`);
}

function hostOf(lab: Lab, id: string): HostRecord | undefined {
  return id.startsWith(PREFIX) ? lab.find('HostSystem', id.slice(PREFIX.length)) : undefined;
}

/** Entries of machines that have left the host are no longer told. */
function infoOf(lab: Lab, host: HostRecord): Data[] {
  return (host.autostart?.powerInfo ?? []).filter(
    (one) => lab.find('VirtualMachine', reference(one, 'key')?.id ?? '')?.host === host.id,
  );
}

/**
 * HostAutoStartManager: entries of a spec are merged by their machine. One whose `startAction` is `none` and whose
 * `startOrder` is -1 takes the machine out of the order; its entry stays.
 */
export const autoStartManager = kind<HostRecord>(
  'HostAutoStartManager',
  hostOf,
  {
    config: (lab, host) => ({
      _type: 'HostAutoStartManagerConfig',
      defaults: host.autostart?.defaults ?? DEFAULTS,
      powerInfo: infoOf(lab, host),
    }),
  },
  {
    ReconfigureAutostart(call, host, args) {
      const spec = object(args, 'spec');
      const entries = new Map(infoOf(call.lab, host).map((one) => [reference(one, 'key')?.id, one]));
      for (const entry of objects(spec, 'powerInfo')) {
        const id = reference(entry, 'key')?.id ?? '';
        if (call.lab.find('VirtualMachine', id)?.host !== host.id) throw invalidArgument('spec.powerInfo.key');
        const order = number(entry, 'startOrder') ?? 0;
        if (order < -1 || order === 0) throw invalidArgument('spec.powerInfo.startOrder');
        if (!['none', 'systemdefault', 'poweron'].includes(text(entry, 'startAction')?.toLowerCase() ?? '')) {
          throw invalidArgument('spec.powerInfo.startAction');
        }
        entries.set(id, entry);
      }
      const defaults = { ...(host.autostart?.defaults ?? DEFAULTS), ...object(spec, 'defaults') };
      call.lab.put({ ...host, autostart: { defaults, powerInfo: [...entries.values()] } });
      return undefined;
    },
  },
);
