import { z } from 'zod';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { joinPath } from '../../model/path.ts';
import type { SearchHit } from '../../protocol/api/search.ts';
import type { Clouds } from '../clouds.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import type { Sight } from '../people/sight.ts';
import { partsOfId } from '../sign-in-id.ts';
import type { Database } from '../store/database.ts';
import { countRows, findPositions, openIndexes, type Position, readFound } from '../store/search.ts';
import { completeRows } from '../store/search-rows.ts';
import { conditionsOf } from './conditions.ts';
import { fold } from './fold.ts';
import { parseSearch } from './language.ts';

export interface Search {
  /** A page of what the account sees of the hits, best first; none for a text that asks for nothing yet. Fault `input.invalid`. */
  find(
    sight: Sight,
    question: { q: string; limit: number; cursor?: string | undefined },
  ): Promise<{ hits: SearchHit[]; next?: string }>;
}

/** How long a count of the rows is good enough. */
const COUNT_MILLISECONDS = 30_000;

const PositionSchema = z.object({ rank: z.int().min(0).max(9), name: z.string(), cloud: z.string(), id: z.string() });

/** Makes what search needs in the database; rows that an older release left out are made in the background. */
export async function openSearch(database: Database, clouds: Pick<Clouds, 'list'>, log: Log): Promise<Search> {
  const trigrams = await openIndexes(database, log);
  completeRows(database).catch((error: unknown) => log.warn({ err: error }, 'not everything can be searched for yet'));
  let counted = { at: Number.NEGATIVE_INFINITY, rows: 0 };
  const rowsAbout = async () => {
    if (performance.now() - counted.at > COUNT_MILLISECONDS) {
      counted = { at: performance.now(), rows: counted.rows };
      counted.rows = await countRows(database);
    }
    return counted.rows;
  };
  return {
    async find(sight, { q, limit, cursor }) {
      const terms = parseSearch(q);
      const after = cursor === undefined ? null : positionOf(readCursor('search', cursor));
      if (terms.length === 0) return { hits: [] };
      const seen = clouds.list().filter((cloud) => sight.cloud(cloud) !== null);
      const names = new Map(seen.map(({ id, name }) => [id, name]));
      const folded = new Map(seen.map(({ id, name }) => [id, fold(name)]));
      const { sees } = sight.rights;
      for (const id of sees.own) folded.set(id, folded.get(partsOfId(id).cloud) ?? '');
      const conditions = conditionsOf(terms, sees, folded);
      const found = await findPositions(database, conditions, {
        after,
        limit: limit + 1,
        rows: await rowsAbout(),
        trigrams,
      });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const hits = (await readFound(database, page)).map(({ cloud: id, data, names: path }) => {
        const { cloud } = partsOfId(id);
        return { ...data, cloud, path: joinPath(path), cloudName: names.get(cloud) ?? '' };
      });
      return {
        hits,
        ...(found.length > limit && last !== undefined ? { next: writeCursor('search', JSON.stringify(last)) } : {}),
      };
    },
  };
}

function positionOf(text: string): Position {
  try {
    return PositionSchema.parse(JSON.parse(text));
  } catch {
    throw new Fault('input.invalid', 'the cursor is not one of the list of search', {
      remedy: 'Use `next` of the answer before, or none for the beginning.',
    });
  }
}
