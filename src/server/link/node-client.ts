import type { z } from 'zod';
import { Fault } from '../../model/fault.ts';
import type { InventoryEvent } from '../../model/inventory.ts';
import { INVENTORY_PATH, type LinkOperationName, type LinkOperations, linkOperations } from '../../protocol/link.ts';
import { InventoryEventSchema } from '../../protocol/nouns.ts';
import type { LinkSession } from './session.ts';

type ParameterName<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParameterName<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

type Body<Operation> = Operation extends { body: infer Schema extends z.ZodType } ? { body: z.input<Schema> } : unknown;

/** Path parameters by name, plus `body` where the operation has one and `query` where it is wanted. */
export type LinkInput<Name extends LinkOperationName> = {
  [P in ParameterName<LinkOperations[Name]['path']>]: string;
} & Body<LinkOperations[Name]> & { query?: Record<string, string | number> };

export type LinkAnswer<Name extends LinkOperationName> = z.output<LinkOperations[Name]['answer']>;

/** The node's API, one method per row of `linkOperations`. Without a link every method throws `node.unreachable`. */
export type NodeClient = {
  [Name in LinkOperationName]: (input: LinkInput<Name>, signal: AbortSignal) => Promise<LinkAnswer<Name>>;
} & {
  /** A snapshot, then changes, until abort or the end of the link. */
  inventory: (cloud: string, signal: AbortSignal) => AsyncIterable<InventoryEvent>;
};

/** @param link the live session, or null while there is none. */
export function createNodeClient(name: string, link: () => LinkSession | null): NodeClient {
  const linked = () => {
    const session = link();
    if (session === null) throw new Fault('node.unreachable', `node ${name} has no link to the server`);
    return session;
  };
  const entries = Object.entries(linkOperations).map(([operationName, operation]) => {
    const call = async (input: Record<string, unknown>, signal: AbortSignal) => {
      const answer = await linked().ask({
        method: operation.method,
        path: fillPath(operation.path, input) + queryText(input.query as Record<string, string | number> | undefined),
        ...('body' in operation ? { body: input.body } : {}),
        signal,
      });
      const parsed = operation.answer.safeParse(answer);
      if (parsed.success) return parsed.data;
      const issue = parsed.error.issues[0];
      throw new Fault(
        'internal',
        `node ${name} answered ${operationName} in another form: ${issue?.path.join('.')}: ${issue?.message}`,
      );
    };
    return [operationName, call];
  });
  async function* inventory(cloud: string, signal: AbortSignal): AsyncIterable<InventoryEvent> {
    const path = fillPath(INVENTORY_PATH, { cloud });
    for await (const line of linked().askLines({ method: 'GET', path, signal })) yield InventoryEventSchema.parse(line);
  }
  return { ...(Object.fromEntries(entries) as Omit<NodeClient, 'inventory'>), inventory } as NodeClient;
}

function fillPath(path: string, input: Record<string, unknown>): string {
  return path.replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(String(input[key])));
}

function queryText(query: Record<string, string | number> | undefined): string {
  if (query === undefined) return '';
  const texts = Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]);
  return `?${new URLSearchParams(texts)}`;
}
