import { Card, Group, Progress, Stack, Text, Title } from '@mantine/core';
import type { JobView } from '../../protocol/api/jobs.ts';
import { bytesText } from '../units.ts';
import { words } from '../words.ts';

type Disk = NonNullable<JobView['progress']>['disks'][number];

/** Per disk: what was written at the destination, and what has arrived at its node and waits. */
export function Disks({ job }: { job: JobView }) {
  const disks = job.progress?.disks ?? [];
  return (
    <Card withBorder component="section" aria-label={words.jobs.disks}>
      <Title order={2} size="h5" mb="sm">
        {words.jobs.disks}
      </Title>
      {disks.length === 0 ? (
        <Text size="sm" c="dimmed">
          {words.jobs.noDisks}
        </Text>
      ) : (
        <Stack gap="md">
          {disks.map((disk) => (
            <DiskBars key={disk.disk} disk={disk} machines={new Set(disks.map(machineOf)).size > 1} />
          ))}
        </Stack>
      )}
    </Card>
  );
}

const machineOf = (disk: Disk) => disk.disk.slice(0, disk.disk.lastIndexOf('/'));

function DiskBars({ disk, machines }: { disk: Disk; machines: boolean }) {
  const percent = (bytes: number) => (disk.capacityBytes === 0 ? 100 : (bytes / disk.capacityBytes) * 100);
  const label = machines ? `${machineOf(disk)}: ${disk.label}` : disk.label;
  const waiting = Math.max(0, disk.arrivedBytes - disk.givenBytes);
  return (
    <div>
      <Group justify="space-between" gap="xs" mb={4}>
        <Text size="sm" fw={500}>
          {label}
        </Text>
        <Text size="sm" c="dimmed">
          {bytesText(disk.capacityBytes)}
        </Text>
      </Group>
      <Progress.Root size="md">
        <Progress.Section value={percent(disk.givenBytes)} aria-label={`${label} ${words.jobs.written}`} />
        <Progress.Section value={percent(waiting)} color="cyan.4" aria-label={`${label} ${words.jobs.arrived}`} />
      </Progress.Root>
      <Text size="xs" c="dimmed" mt={4} className="numbers">
        {bytesText(disk.arrivedBytes)} {words.jobs.arrived} · {bytesText(disk.givenBytes)} {words.jobs.written}
      </Text>
    </div>
  );
}
