import { Fault } from '../../model/fault.ts';
import type { Right } from '../../model/rights.ts';
import type { Need } from '../../protocol/api/operation.ts';
import type { Signed } from '../auth.ts';
import { resolveEndpoints } from '../jobs/endpoints.ts';
import type { Database } from '../store/database.ts';
import type { CopyOrder } from '../store/jobs.ts';
import { type JobPlaces, type PlacedJob, readPlaces } from '../store/places.ts';
import { refuseObject, remedyOf } from './refuse.ts';
import type { Sight, Sights } from './sight.ts';

export interface Guard {
  /**
   * The one place where an operation is allowed or refused. Answers what the account sees, for the handler, and puts the
   * ids of what it means in the place of the names in `parameters`. Faults:
   * `object.missing` for what the account does not see, in the words for what is not there; `auth.forbidden`.
   */
  check(need: Need, signed: Signed, asked: { parameters: Record<string, string>; body: unknown }): Promise<Sight>;
}

export function createGuard(database: Database, sights: Sights): Guard {
  const job = async (sight: Sight, named: string): Promise<PlacedJob> => {
    const found = await readPlaces(database, named);
    if (found !== null && sight.seesJob(found.places)) return found;
    throw new Fault('object.missing', `there is no job ${named}`);
  };

  return {
    async check(need, signed, { parameters, body }) {
      const sight = await sights.of(signed);
      const { rights } = sight;
      if (need === 'person' && signed.via !== 'session') {
        throw new Fault('auth.forbidden', `${signed.user} has to do this after signing in, not by a token`, {
          remedy: 'Sign in with the password.',
        });
      }
      if (need === 'administrator' && !rights.administers) {
        const token = signed.role === 'administrator' ? ` by the ${signed.via}` : '';
        throw new Fault('auth.forbidden', `${signed.user} is no administrator${token}`);
      }
      if (need === 'tenant' && !rights.manages) {
        const token = signed.role === 'administrator' ? ` by the ${signed.via}` : '';
        throw new Fault('auth.forbidden', `${signed.user} is no administrator${token}`);
      }
      if (need === 'tenant' || need === 'administrator') {
        if (parameters.cloud !== undefined) parameters.cloud = sight.clouds.get(parameters.cloud).id;
        if (parameters.node !== undefined) parameters.node = sight.nodes.get(parameters.node).id;
      }
      if (typeof need === 'string') return sight;
      if ('cloud' in need || 'object' in need) parameters.cloud = sight.inventories.get(parameters.cloud ?? '').id;
      if ('copy' in need) await resolveEndpoints(sight.objects, body as CopyOrder);
      else if ('cloud' in need) refuseCloud(need.cloud, sight, parameters.cloud ?? '');
      else if ('object' in need) {
        const cloud = sight.inventories.get(parameters.cloud ?? '');
        refuseObject(need.object, rights, cloud, await sight.objects.get(cloud.id, parameters.object ?? ''));
      } else {
        const { places, number } = await job(sight, parameters.job ?? '');
        const allowed = need.job === 'see' || ALLOWED[need.job](sight, signed, places);
        if (!allowed) {
          const remedy =
            need.job === 'undo'
              ? 'Whoever has the right to delete at its destination can undo it.'
              : need.job === 'delete-source'
                ? 'Whoever has the right to delete at its source can.'
                : 'Whoever may start the same copy can, and whoever started it can stop it.';
          throw new Fault(
            'auth.forbidden',
            `${signed.user} may not ${need.job === 'undo' ? 'undo' : 'change'} job ${number}`,
            {
              remedy,
            },
          );
        }
      }
      return sight;
    },
  };
}

/** May have it go on, or (`stop`) end or halt it, which whoever started it may too. */
export function mayChange(sight: Sight, signed: Signed, places: JobPlaces | null, how: 'stop' | 'run'): boolean {
  if (sight.mayRun(places)) return true;
  const started = places?.account === signed.account && signed.role !== 'viewer' && signed.scope !== 'read';
  return how === 'stop' && (started || sight.mayStop(places));
}

type Allowed = (sight: Sight, signed: Signed, places: JobPlaces | null) => boolean;
const ALLOWED = {
  stop: (sight, signed, places) => mayChange(sight, signed, places, 'stop'),
  run: (sight, signed, places) => mayChange(sight, signed, places, 'run'),
  undo: (sight, _, places) => sight.mayUndo(places),
  'delete-source': (sight, _, places) => sight.mayDeleteSource(places),
} satisfies Record<string, Allowed>;

function refuseCloud(right: Right, { rights, inventories }: Sight, named: string): void {
  const { id, name } = inventories.get(named);
  if (rights.somewhere(right, id)) return;
  throw new Fault('auth.forbidden', `${rights.who.user} has no right to ${right} anything in ${name}`, {
    remedy: remedyOf(right, rights),
    details: { right },
  });
}
