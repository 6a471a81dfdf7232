import type { GroupView } from '../protocol/api/groups.ts';
import type { JobView } from '../protocol/api/jobs.ts';
import { printJson, printLine } from './output.ts';

export function printStarted({ number, id, jobs }: GroupView & { jobs: JobView[] }, json: boolean): void {
  const numbers = jobs.map((job) => job.number);
  if (json) printJson({ group: number, id, jobs: numbers });
  else {
    const list = numbers.join(', ');
    printLine(`group ${number}: jobs ${list} are started; see them with: cloudspan groups show ${number}`);
  }
}
