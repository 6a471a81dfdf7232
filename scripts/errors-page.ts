/** Writes docs/errors.md from the catalogue in src/model/fault-kinds.ts; a test holds the two together. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { faultKinds } from '../src/model/fault-kinds.ts';

export function errorsPage(): string {
  const rows = Object.entries(faultKinds).map(
    ([code, kind]) => `| \`${code}\` | ${kind.status} | ${kind.retry} | ${kind.meaning} | ${kind.remedy} |`,
  );
  return `# Errors

Every failure of Cloudspan is a *fault*: a code of this table, one sentence that names who, what and where, and what to
do. The API answers with it as \`application/problem+json\`, the CLI prints it on stderr and ends with an exit code that
is not 0, a job keeps it. *Retry* says whether trying again can help: \`soon\` (Cloudspan does it by itself), \`later\`
(something has to change first), \`never\`.

| code | HTTP | retry | meaning | what to do |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '../docs/errors.md'), errorsPage());
