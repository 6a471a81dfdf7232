import { Card, Loader, Text, Timeline, Title } from '@mantine/core';
import type { JobView } from '../../protocol/api/jobs.ts';
import { Glyph } from '../glyph.tsx';
import { secondsBetween, secondsText } from '../units.ts';
import { words } from '../words.ts';

type Step = JobView['steps'][number];

export function Steps({ steps, now }: { steps: Step[]; now: number }) {
  const active = steps.findLastIndex((step) => step.state !== 'pending' && step.state !== 'skipped');
  return (
    <Card withBorder component="section" aria-label={words.jobs.steps}>
      <Title order={2} size="h5" mb="sm">
        {words.jobs.steps}
      </Title>
      <Timeline active={active} bulletSize={20} lineWidth={2}>
        {steps.map((step) => (
          <Timeline.Item
            key={step.name}
            title={
              <Text size="sm" fw={500} c={step.state === 'pending' ? 'dimmed' : undefined}>
                {words.jobs.stepNames[step.name] ?? step.name}
              </Text>
            }
            bullet={<Bullet state={step.state} />}
            {...(step.state === 'failed' ? { color: 'red' } : {})}
          >
            <Text size="xs" c="dimmed" className="numbers">
              {[words.jobs.stepStates[step.state], tookOf(step, now), step.text].filter(Boolean).join(' · ')}
            </Text>
          </Timeline.Item>
        ))}
      </Timeline>
    </Card>
  );
}

function Bullet({ state }: { state: Step['state'] }) {
  if (state === 'running') return <Loader size={10} color="white" aria-hidden />;
  if (state === 'done') return <Glyph name="done" size={12} />;
  if (state === 'failed') return <Glyph name="cross" size={12} />;
  return null;
}

function tookOf(step: Step, now: number): string {
  if (step.state === 'pending' || step.state === 'skipped') return '';
  const seconds = secondsBetween(step.startedAt, step.endedAt, now);
  return seconds === undefined || seconds < 1 ? '' : secondsText(seconds);
}
