import { Alert, Badge, Button, Card, Code, Group, List, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Difference } from '../../model/comparison.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import { Glyph } from '../glyph.tsx';
import { TextLink } from '../link.tsx';
import { api } from '../server.ts';
import { bytesText } from '../units.ts';
import { words } from '../words.ts';

/** What came out of a job that is through: where it arrived, the proof, and what did not come along. */
export function Outcome({ job }: { job: JobView }) {
  return (
    <>
      {job.receipt !== undefined && <ReceiptCard job={job} receipt={job.receipt} />}
      {job.result !== undefined && <NotCarried differences={job.result.differences} />}
    </>
  );
}

function ReceiptCard({ job, receipt }: { job: JobView; receipt: NonNullable<JobView['receipt']> }) {
  const equal = receipt.sourceRoot === receipt.destinationRoot;
  const color = `var(--mantine-color-${equal ? 'green' : 'red'}-light-color)`;
  return (
    <Card withBorder component="section" aria-label={words.jobs.receipt} style={{ borderColor: color }}>
      <Group gap="xs" mb="xs" wrap="nowrap" style={{ color }}>
        <Glyph name={equal ? 'done' : 'cross'} />
        <Title order={2} size="h5">
          {equal ? words.jobs.proven : words.jobs.notEqual}
        </Title>
      </Group>
      {job.result !== undefined && <Arrived result={job.result} />}
      <Table.ScrollContainer minWidth={420}>
        <Table withRowBorders={false} verticalSpacing={3} aria-label={words.jobs.receipt}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{words.jobs.disk}</Table.Th>
              <Table.Th>{words.jobs.size}</Table.Th>
              <Table.Th>{words.jobs.root}</Table.Th>
              <Table.Th>{words.jobs.level}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {receipt.disks.map((disk) => (
              <Table.Tr key={disk.disk}>
                <Table.Td>{disk.label}</Table.Td>
                <Table.Td className="numbers">{bytesText(disk.capacityBytes)}</Table.Td>
                <Table.Td>
                  <Code style={{ overflowWrap: 'anywhere' }}>{disk.destinationRoot}</Code>
                </Table.Td>
                <Table.Td>
                  <Badge color="green" title={words.jobs.levels[disk.level]}>
                    {disk.level}
                  </Badge>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Group justify="space-between" mt="xs" gap="xs">
        <Text size="xs">{levelText(receipt)}</Text>
        <Button size="compact-sm" variant="default" onClick={() => saveReceipt(job.number, receipt)}>
          {words.jobs.download}
        </Button>
      </Group>
    </Card>
  );
}

function levelText(receipt: NonNullable<JobView['receipt']>): string {
  return [...new Set(receipt.disks.map((disk) => disk.level))].map((level) => words.jobs.levels[level]).join('; ');
}

function saveReceipt(number: number, receipt: unknown): void {
  const address = URL.createObjectURL(new Blob([JSON.stringify(receipt, undefined, 2)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = `receipt-${number}.json`;
  link.click();
  URL.revokeObjectURL(address);
}

function Arrived({ result }: { result: NonNullable<JobView['result']> }) {
  const { object, poweredOn } = result;
  const cloud = useQuery({
    queryKey: ['clouds'],
    queryFn: async ({ signal }) => (await api.listClouds({}, signal)).clouds,
    select: (clouds) => clouds.find((one) => one.id === object.cloud || one.name === object.cloud),
  }).data;
  const path = `${cloud?.name ?? object.cloud}${object.path}`;
  return (
    <Text size="sm" mb="xs">
      {words.jobs.arrivedAs} {words.kinds[object.kind as keyof typeof words.kinds] ?? object.kind}{' '}
      {cloud === undefined ? (
        <b>{path}</b>
      ) : (
        <TextLink fw={600} to="/clouds" search={{ cloud: cloud.id }}>
          {path}
        </TextLink>
      )}
      {poweredOn ? `, ${words.jobs.poweredOn}` : ''}
    </Text>
  );
}

function NotCarried({ differences }: { differences: Difference[] }) {
  const lost = differences.filter((one) => one.nature === 'lost');
  if (lost.length === 0) return null;
  return (
    <Alert color="yellow" title={words.jobs.notCarried}>
      <Differences list={lost} />
    </Alert>
  );
}

/** What differs because the request or a new identity says so. */
export function NewOnPurpose({ differences }: { differences: Difference[] }) {
  const expected = differences.filter((one) => one.nature === 'expected');
  if (expected.length === 0) return null;
  return (
    <Card withBorder component="section" aria-label={words.jobs.expected}>
      <Title order={2} size="h5" mb="sm">
        {words.jobs.expected}
      </Title>
      <Differences list={expected} />
    </Card>
  );
}

function Differences({ list }: { list: Difference[] }) {
  return (
    <List size="sm">
      {list.map((one) => (
        <List.Item key={one.field}>
          {one.field}: {one.left} → {one.arrived}
        </List.Item>
      ))}
    </List>
  );
}
