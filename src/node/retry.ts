import { withBackoff } from '../base/backoff.ts';
import type { Cloud, Exports, Imports, Objects, Power, PowerAction, Sources } from '../drivers/driver.ts';
import { Fault } from '../model/fault.ts';
import type { SettingName } from '../model/setting.ts';

const ATTEMPTS = 4;
/** A person waits for these calls: a cloud that asks for more patience than this is reported instead. */
const LONGEST_SECONDS = 30;

/** What may be called again without doing anything twice. The long works (export, import) have their own loop. */
export type SteadyCloud = Pick<Cloud, 'about'> & {
  get: Cloud['inventory']['get'];
  power?: Power;
  exports?: Pick<Exports, 'check' | 'describe'>;
  imports?: Pick<Imports, 'check' | 'placement'> & { walks: number };
  objects?: Objects;
  sources?: Sources;
};

type Again = (fault: Fault) => boolean;

/** The short calls of a cloud, tried again where the cloud was busy or did not answer, as long as it asks. */
export function steady(cloud: Cloud): SteadyCloud {
  const { power, exports, imports, objects, sources } = cloud;
  return {
    about: (signal) => again(() => cloud.about(signal), signal),
    get: (id, signal) => again(() => cloud.inventory.get(id, signal), signal),
    ...(power === undefined
      ? {}
      : {
          power: {
            apply: (id: string, action: PowerAction, signal: AbortSignal) =>
              again(() => power.apply(id, action, signal), signal, action === 'reset' ? wasRefused : undefined),
          },
        }),
    ...(exports === undefined
      ? {}
      : {
          exports: {
            check: (id: string, signal: AbortSignal) => again(() => exports.check(id, signal), signal),
            describe: (id: string, signal: AbortSignal) => again(() => exports.describe(id, signal), signal),
          },
        }),
    ...(imports === undefined
      ? {}
      : {
          imports: {
            walks: imports.walks ?? 1,
            placement: (id: string, signal: AbortSignal) => again(() => imports.placement(id, signal), signal),
            check: (request: Parameters<Imports['check']>[0], signal: AbortSignal) =>
              again(() => imports.check(request, signal), signal),
          },
        }),
    ...(objects === undefined
      ? {}
      : {
          objects: {
            look: (id: string, signal: AbortSignal) => again(() => objects.look(id, signal), signal),
            marked: (signal: AbortSignal) => again(() => objects.marked(signal), signal),
            remove: (id: string, marker: string, signal: AbortSignal) =>
              again(() => objects.remove(id, marker, signal), signal),
          },
        }),
    ...(sources === undefined
      ? {}
      : {
          sources: {
            settings: (id: string, signal: AbortSignal) => again(() => sources.settings(id, signal), signal),
            set: (id: string, setting: SettingName, value: string, signal: AbortSignal) =>
              again(() => sources.set(id, setting, value, signal), signal),
            discard: (id: string, version: string, signal: AbortSignal) =>
              again(() => sources.discard(id, version, signal), signal),
          },
        }),
  };
}

/** A reset that may have reached the cloud is not sent again. */
function wasRefused(fault: Fault): boolean {
  return fault.code === 'cloud.busy';
}

async function again<T>(call: () => Promise<T>, signal: AbortSignal, may: Again = () => true): Promise<T> {
  const guarded = async () => {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Fault) || error.retry !== 'soon') throw error;
      if (may(error) && (error.retryAfterSeconds ?? 0) <= LONGEST_SECONDS) throw error;
      throw new FinalFault(error);
    }
  };
  try {
    return await withBackoff(guarded, {
      signal,
      attempts: ATTEMPTS,
      firstMilliseconds: 300,
      longestMilliseconds: 3000,
    });
  } catch (error) {
    throw error instanceof FinalFault ? error.fault : error;
  }
}

/** Carries a fault past the loop that would try it again. */
class FinalFault extends Error {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}
