import type { Database } from './database.ts';

export interface AuditRow {
  number: number;
  at: Date;
  account: string;
  address: string | null;
  via: string | null;
  action: string;
  subject: string;
  /** Null while it runs, and for ever where it was cut off in the middle. */
  outcome: string | null;
}

type Begun = Pick<AuditRow, 'account' | 'address' | 'via' | 'action' | 'subject'> & { tenant?: string | null };

/** Written before anything is done, so that nothing is done without it. */
export async function beginAudit({ query }: Database, row: Begun): Promise<number> {
  const [made] = await query<{ number: string }>(
    'INSERT INTO audit (account, address, via, action, subject, tenant) VALUES ($1, $2, $3, $4, $5, $6) RETURNING number',
    [row.account, row.address, row.via, row.action, row.subject, row.tenant ?? null],
  );
  return Number(made?.number);
}

/** A sign-in belongs to the tenant of whoever it was. Once; the database refuses every other change. */
export async function endAudit(
  { query }: Database,
  number: number,
  row: Pick<AuditRow, 'account' | 'subject' | 'outcome'>,
): Promise<void> {
  await query(
    `UPDATE audit SET account = $2, subject = $3, outcome = $4,
       tenant = coalesce(tenant, (SELECT tenant FROM accounts WHERE name = $2)) WHERE number = $1`,
    [number, row.account, row.subject, row.outcome],
  );
}

export interface AuditFilter {
  since?: string | undefined;
  until?: string | undefined;
  account?: string | undefined;
  operation?: string | undefined;
  outcome?: string | undefined;
  /** Only what its accounts did. */
  tenant?: string | null;
  after: number;
  limit: number;
}

export async function readAudit({ query }: Database, filter: AuditFilter): Promise<AuditRow[]> {
  return query<AuditRow>(
    `SELECT number::double precision AS number, at, account, address, via, action, subject, outcome FROM audit
     WHERE number > $1 AND ($2::timestamptz IS NULL OR at >= $2) AND ($3::timestamptz IS NULL OR at < $3)
       AND ($4::text IS NULL OR account = $4) AND ($5::text IS NULL OR action = $5)
       AND ($6::text IS NULL OR coalesce(outcome, 'unknown') = $6)
       AND ($8::text IS NULL OR tenant = $8)
     ORDER BY number LIMIT $7`,
    [
      filter.after,
      filter.since ?? null,
      filter.until ?? null,
      filter.account ?? null,
      filter.operation ?? null,
      filter.outcome ?? null,
      filter.limit,
      filter.tenant ?? null,
    ],
  );
}
