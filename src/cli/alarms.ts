import type { Command } from 'commander';
import { printJson, printLine, printTable } from './output.ts';
import { connectLast } from './session.ts';

interface JsonFlag {
  json?: boolean;
}

export function addAlarms(program: Command): void {
  const alarms = program
    .command('alarms')
    .description('what needs attention now')
    .option('--json', 'answer as JSON')
    .action(list);
  alarms
    .command('acknowledge <key>')
    .alias('ack')
    .description('say that you look after it; it stays in the list until its cause is gone')
    .action(acknowledge);
}

async function list(flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const { alarms } = await connection.client.listAlarms({});
  if (flags.json === true) return printJson({ alarms });
  if (alarms.length === 0) return printLine('nothing needs attention');
  printTable(
    ['SINCE', 'SEVERITY', 'WHERE', 'ACKNOWLEDGED', 'KEY'],
    alarms.map(({ since, severity, where, acknowledged, key }) => [
      since,
      severity,
      where,
      acknowledged?.by ?? '',
      key,
    ]),
  );
  for (const { where, what, remedy } of alarms) printLine(`${where}: ${what} What to do: ${remedy}`);
}

async function acknowledge(key: string): Promise<void> {
  await using connection = await connectLast();
  const alarm = await connection.client.acknowledgeAlarm({ body: { key } });
  printLine(`${alarm.where}: acknowledged by ${alarm.acknowledged?.by}`);
}
